// An address of AWS's console names the resource behind the "#", which no server sees: lead to the page of it.
const PAGES = [
  [/^\/sagemaker\/home#\/jobs\/([^/?]+)/, "/jobs/training/"],
  [/^\/sagemaker\/home#\/processing-jobs\/([^/?]+)/, "/jobs/processing/"],
  [/^\/sagemaker\/home#\/transform-jobs\/([^/?]+)/, "/jobs/transform/"],
  [/^\/sagemaker\/home#\/hyper-tuning-jobs\/([^/?]+)/, "/jobs/tuning/"],
  [/^\/sagemaker\/home#\/endpoints\/([^/?]+)/, "/endpoints/"],
  [/^\/sagemaker\/home#\/endpointConfig\/([^/?]+)/, "/endpoint-configs/"],
  [/^\/sagemaker\/home#\/models\/([^/?]+)/, "/models/"],
  [/^\/a2i\/home#\/human-review-workflows\/([^/?]+)/, "/flows/"],
  [/^\/a2i\/home#\/worker-task-templates\/([^/?]+)/, "/task-templates/"],
  [/^\/athena\/home#\/?query(?:-editor)?(?:\/history)?\/([^/?]+)/, "/queries/"],
  [/^\/cloudwatch\/home#alarmsV2:alarm\/([^/?]+)/, "/alarms/"],
  [/^\/sagemaker\/home/, "/", false],
  [/^\/a2i\/home/, "/loops", false],
  [/^\/athena\/home/, "/queries", false],
  [/^\/cloudwatch\/home/, "/alarms", false],
  [/^\/glue\/home/, "/tables", false],
  [/^\/s3\/home/, "/buckets", false],
];

function target(place) {
  for (const [pattern, page, named = true] of PAGES) {
    const found = pattern.exec(place);
    if (found) return named ? page + encodeURIComponent(decodeURIComponent(found[1])) : page;
  }
  return "/";
}

location.replace(target(location.pathname + location.hash));
