// Keys: everything that the mouse can do, and what a speaker's remote control sends.

export function listen(app) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") { app.ui.escape(); return; }
    if (app.mine.shown || kept(event.target, event.key)) return;
    if (pressed(app, event)) event.preventDefault();
  });
}

/** Whether an element itself makes use of a key; those of a speaker's remote control nothing does. */
function kept({ tagName, type }, key) {
  if (/^Page(Up|Down)$/.test(key)) return false;
  if (tagName === "SELECT") return key !== " ";
  if (type === "checkbox") return key === " ";
  return tagName === "TEXTAREA" || (tagName === "INPUT" && type !== "range");
}

function pressed(app, event) {
  const { state, header, view, ui } = app;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const onButton = event.target.tagName === "BUTTON" && (key === " " || key === "Enter");
  if (onButton) return false;
  const step = event.shiftKey ? 600 : 60;
  const modes = { 1: "a", 2: "b", 3: "swipe", 4: "difference" };
  const nudges = {
    w: { up: 0.12 }, s: { up: -0.12 }, a: { right: -0.12 }, d: { right: 0.12 }, q: { turn: -10 }, e: { turn: 10 },
    "+": { zoom: 0.8 }, "=": { zoom: 0.8 }, "-": { zoom: 1.25 },
  };
  if (modes[key] && header.runs.length > 1) app.set({ mode: modes[key] });
  else if (nudges[key]) view.nudge(nudges[key]);
  else if (key === " " && header.time) app.moves && ui.togglePlay();
  else if ((key === "ArrowLeft" || key === "ArrowRight") && app.moves && event.target.getAttribute("role") !== "slider") {
    ui.setTime(state.time + (key === "ArrowLeft" ? -step : step));
  } else if (key === "PageDown" && header.tour.length) ui.goOn(1);
  else if (key === "PageUp" && header.tour.length) ui.goOn(-1);
  else if (key === "n" && header.tour.length) app.set({ speech: !state.speech, stop: state.stop ?? 0 });
  else if (key === "/") ui.openSearch();
  else if (key === "m" && header.my) ui.openMine();
  else if (key === "r" && header.results) ui.toggle("results");
  else if (key === "v") ui.nextLayer();
  else if (key === "0") view.fly(view.home());
  else if (key === "l") app.setLanguage();
  else if (key === "t") app.set({ theme: state.theme === "dark" ? "light" : "dark" });
  else if (key === "f") ui.fullScreen();
  else if (key === "?" || key === "h") ui.toggle("help");
  else return false;
  return true;
}
