// The look of the crowd elements. Colours come from crowd.css as custom properties, which reach into shadow roots.

export const sheet = new CSSStyleSheet();
sheet.replaceSync(`
  :host { box-sizing: border-box; color: var(--ink); }
  :host([hidden]) { display: none; }
  *, *::before, *::after { box-sizing: border-box; }
  h2 { font-size: 1.15rem; line-height: 1.35; margin: 0 0 .75rem; }
  fieldset { border: 0; margin: 0; padding: 0; min-width: 0; }
  legend { padding: 0; font-weight: 600; margin-bottom: .5rem; }
  label { cursor: pointer; }
  button, input, select, textarea { font: inherit; color: inherit; }
  button { background: var(--surface); border: 1px solid var(--edge); border-radius: 8px; padding: .5rem 1rem;
    min-height: 44px; cursor: pointer; }
  button:hover { background: var(--soft); }
  button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
  button.primary:hover { filter: brightness(1.08); }
  button.plain { border: 0; background: none; color: var(--accent); text-decoration: underline; padding: .25rem; }
  button[disabled] { opacity: .55; cursor: default; }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
  input[type=text], input[type=number], input[type=email], input[type=password], input[type=search], input[type=tel],
  input[type=url], input[type=date], input[type=time], input[type=datetime-local], textarea {
    width: 100%; background: var(--surface); border: 1px solid var(--edge); border-radius: 8px; padding: .6rem .75rem; }
  textarea { resize: vertical; line-height: 1.5; }
  .field { display: block; margin: .5rem 0; }
  .field > .name { display: block; font-weight: 600; margin-bottom: .3rem; }
  .hint { color: var(--muted); font-size: .875rem; margin: .3rem 0 0; }
  .error { color: var(--danger); font-size: .9rem; margin: .3rem 0 0; }
  .layout { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1rem; }
  .layout.with-aside { grid-template-columns: minmax(0, 1fr) minmax(200px, 280px); }
  .target { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.1rem;
    font-size: 1.05rem; line-height: 1.6; overflow-wrap: anywhere; margin-bottom: 1rem; }
  .target.picture { padding: .5rem; text-align: center; }
  .target img { max-width: 100%; max-height: 65vh; border-radius: 6px; }
  aside { font-size: .93rem; line-height: 1.5; color: var(--muted); border-left: 3px solid var(--line);
    padding: 0 0 0 1rem; overflow-wrap: anywhere; }
  aside strong.title { display: block; color: var(--ink); margin-bottom: .35rem; }
  .choices { display: grid; gap: .5rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 190px), 1fr)); }
  .choice { display: flex; align-items: center; gap: .65rem; background: var(--surface); border: 1px solid var(--edge);
    border-radius: 10px; padding: .6rem .8rem; min-height: 48px; }
  .choice:hover { background: var(--soft); }
  .choice:has(input:checked) { border-color: var(--accent); background: var(--soft);
    box-shadow: inset 0 0 0 1px var(--accent); font-weight: 600; }
  .choice:has(input:focus-visible) { outline: 3px solid var(--accent); outline-offset: 2px; }
  .choice input { accent-color: var(--accent); width: 1.15rem; height: 1.15rem; margin: 0; flex: none; outline: none; }
  .choice span { flex: 1; overflow-wrap: anywhere; }
  .choice.off { opacity: .6; }
  kbd { font: 600 .78rem/1 ui-monospace, monospace; color: var(--muted); border: 1px solid var(--line); border-radius: 5px;
    padding: .25rem .4rem; background: var(--page); }
  .row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: .6rem 0; }
  dialog { border: 1px solid var(--line); border-radius: 12px; background: var(--surface); color: var(--ink);
    max-width: min(680px, 92vw); padding: 1.25rem 1.5rem; }
  dialog::backdrop { background: rgb(0 0 0 / .45); }
  .tools { display: flex; flex-wrap: wrap; gap: .5rem; margin: 0 0 .6rem; }
  .tools .choice { min-height: 44px; padding: .4rem .7rem; flex: 0 1 auto; }
  .swatch { width: .9rem; height: .9rem; border-radius: 3px; flex: none; border: 1px solid var(--edge); }
  svg.canvas { display: block; width: 100%; height: auto; max-height: 70vh; background: var(--page); touch-action: none;
    border: 1px solid var(--line); border-radius: 8px; cursor: crosshair; }
  ul.shapes { list-style: none; padding: 0; margin: .6rem 0 0; display: grid; gap: .35rem; }
  ul.shapes li { display: flex; gap: .6rem; align-items: center; font-size: .93rem; }
  ul.shapes li span.name { flex: 1; overflow-wrap: anywhere; }
  .words { font-size: 1.1rem; line-height: 2.1; white-space: pre-wrap; user-select: none; cursor: text; }
  .word { border-radius: 4px; padding: .1rem 0; }
  .word.picked { background: var(--soft); box-shadow: 0 2px 0 var(--accent); }
  .word.marked { padding: .1rem .15rem; color: #14202b; }
  @media (max-width: 620px) {
    .layout.with-aside { grid-template-columns: minmax(0, 1fr); }
    .choices { grid-template-columns: minmax(0, 1fr); }
    aside { border-left: 0; border-top: 3px solid var(--line); padding: .75rem 0 0; }
    kbd { display: none; }
  }
`);
