// Elements of the page.

/** An element with properties, listeners (onclick, ...) and children. */
export function h(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else if (key in e && !key.startsWith("aria") && key !== "list") e[key] = value;
    else e.setAttribute(key, value === true ? "" : value);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

const PATHS = {
  play: "M7 4.5v15l12.5-7.5z", pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  search: "M10.5 4a6.5 6.5 0 1 0 4 11.6l4.7 4.7 1.4-1.4-4.7-4.7A6.5 6.5 0 0 0 10.5 4zm0 2a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9z",
  layers: "M12 3 2.5 8.2 12 13.4l9.5-5.2zM4.6 11.6l-2.1 1.2L12 18l9.5-5.2-2.1-1.2L12 15.7zM4.6 16l-2.1 1.2L12 22.4l9.5-5.2-2.1-1.2-7.4 4z",
  theme: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2v14a7 7 0 0 1 0-14z",
  help: "M12 2.8a9.2 9.2 0 1 0 0 18.4 9.2 9.2 0 0 0 0-18.4zm-1.1 13.4h2.1v2.1h-2.1zM12 6.3c2 0 3.6 1.3 3.6 3.2 0 1.6-.9 2.3-1.7 3-.7.5-.9.8-.9 1.7v.5h-2v-.7c0-1.700.9-2.500 1.700-3.100.6-.5.9-.8.9-1.400 0-.7-.7-1.200-1.600-1.200s-1.700.6-1.700 1.600H8.300C8.300 7.700 9.900 6.300 12 6.300z",
  home: "M12 3 2.500 11.500l1.400 1.500L5 12v8h5.500v-6h3v6H19v-8l1.100 1 1.400-1.500z",
  close: "m6.400 5-1.400 1.400 5.600 5.600L5 17.600 6.400 19l5.600-5.600 5.600 5.600 1.400-1.400-5.600-5.600L19 6.400 17.600 5 12 10.600z",
  next: "M8 5v14l9-7zM17.500 5h2v14h-2z", back: "M16 5v14l-9-7zM4.500 5h2v14h-2z",
  speaker: "M4 4h16v12.500H9L4 21zm2 2v10.500l2-2h10V6zm2 2h8v1.700H8zm0 3h6v1.700H8z",
  house: "M4 20V8l5-4 5 4v3h6v9zm3-2h2v-3h2v3h1v-9L9 6.500 6 9v9zm8 0h3v-5h-3z",
  results: "M4 20V4h2v14h14v2zm4-4V10h3v6zm5 0V6h3v10zm5 0v-4h2v4z",
  full: "M4 4h6v2H6v4H4zm10 0h6v6h-2V6h-4zM4 14h2v4h4v2H4zm14 0h2v6h-6v-2h4z",
};

/** An icon of one path. */
export function icon(name) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(ns, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** A button with an icon and a name for those who hover or listen. */
export function button(name, label, onclick, props = {}) {
  return h("button", { type: "button", title: label, "aria-label": label, onclick, ...props }, icon(name));
}
