// Loads each section for itself: one that is slow or fails does not keep the others.
"use strict";

const PATIENCE_MS = 30000;

// Airflow keeps its own choice of light and dark, and shows this page in a frame of the same origin.
function followTheme() {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") {
    document.documentElement.dataset.theme = chosen;
  } else {
    delete document.documentElement.dataset.theme;
  }
}

function say(body, text) {
  const line = document.createElement("p");
  line.className = "why";
  line.textContent = text;
  body.replaceChildren(line);
}

async function load(body, name) {
  body.dataset.section = name;
  body.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(`sections/${name}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.status === 401 || answer.status === 403) {
      say(body, "You are signed out of Airflow, or may not see this page: sign in again.");
    } else if (!answer.ok) {
      say(body, `Airflow's API server answered ${answer.status}: see its log.`);
    } else {
      const text = await answer.text();
      // A later choice of the reader's may have been faster.
      if (body.dataset.section === name) {
        body.innerHTML = text;
      }
    }
  } catch (error) {
    say(body, error.name === "TimeoutError" ? "No answer within 30 seconds." : "Airflow's API server does not answer.");
  }
  body.setAttribute("aria-busy", "false");
}

function loadAll() {
  for (const body of document.querySelectorAll("[data-section]")) {
    load(body, body.dataset.section);
  }
}

document.getElementById("reload").addEventListener("click", loadAll);
document.addEventListener("click", (event) => {
  const chosen = event.target.closest("button[data-load]");
  if (chosen) {
    load(chosen.closest("[data-section]"), chosen.dataset.load);
  }
});
addEventListener("storage", followTheme);
followTheme();
loadAll();
