// The crowd elements: defines them, wraps a template without a form in one, and connects the task to the portal.

import { connect, listenToPolicy } from './bridge.js';
import { CrowdClassifier, CrowdClassifierMultiSelect, CrowdImageClassifier, CrowdImageClassifierMultiSelect, CrowdRekognition } from './classifier.js';
import { CrowdEntityAnnotation } from './entities.js';
import { CrowdForm } from './form.js';
import { CrowdInstructions, CrowdModal, CrowdTab, CrowdTabs } from './instructions.js';
import { listen } from './keys.js';
import { CrowdAlert, CrowdButton, CrowdCard, CrowdToast } from './notices.js';
import {
  CrowdBoundingBox, CrowdInstanceSegmentation, CrowdKeypoint, CrowdLine, CrowdPolygon, CrowdPolyline, CrowdSemanticSegmentation,
} from './shapes.js';
import { CrowdCheckbox, CrowdRadioButton, CrowdRadioGroup, CrowdSlider, CrowdToggleButton } from './switches.js';
import { CrowdInput, CrowdTextArea } from './text.js';
import { CrowdTextract } from './textract.js';

// Leaves before what holds them, so that a form finds its fields ready.
const ELEMENTS = {
  alert: CrowdAlert,
  button: CrowdButton,
  card: CrowdCard,
  toast: CrowdToast,
  input: CrowdInput,
  'text-area': CrowdTextArea,
  checkbox: CrowdCheckbox,
  'toggle-button': CrowdToggleButton,
  'radio-button': CrowdRadioButton,
  'radio-group': CrowdRadioGroup,
  slider: CrowdSlider,
  instructions: CrowdInstructions,
  modal: CrowdModal,
  tab: CrowdTab,
  tabs: CrowdTabs,
  classifier: CrowdClassifier,
  'classifier-multi-select': CrowdClassifierMultiSelect,
  'image-classifier': CrowdImageClassifier,
  'image-classifier-multi-select': CrowdImageClassifierMultiSelect,
  'rekognition-detect-moderation-labels': CrowdRekognition,
  'textract-analyze-document': CrowdTextract,
  'entity-annotation': CrowdEntityAnnotation,
  'bounding-box': CrowdBoundingBox,
  keypoint: CrowdKeypoint,
  line: CrowdLine,
  polyline: CrowdPolyline,
  polygon: CrowdPolygon,
  'instance-segmentation': CrowdInstanceSegmentation,
  'semantic-segmentation': CrowdSemanticSegmentation,
  form: CrowdForm,
};

// crowd-entity-annotation and the picture elements may stand alone in a template: AWS gives them a form too.
function wrap() {
  if (document.querySelector('crowd-form')) return;
  const form = document.createElement('crowd-form');
  form.append(...document.body.childNodes);
  document.body.append(form);
}

function start() {
  wrap();
  for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(`crowd-${name}`, element);
  listen();
  connect();
  document.dispatchEvent(new CustomEvent('all-crowd-elements-ready'));
}

// At once, before the template is parsed, so that no blocked resource goes unseen.
listenToPolicy();
if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
else start();
