// The map on paper: the picture with its labels as one image, in light colours; title, legend and source around it.

const RATIO = 2; // pixels of the image for one of the page
const SHAPE = 2.2; // width of the image by its height: all of a landscape page under title and legend

export function printable(app) {
  const sheet = document.createElement("canvas");
  sheet.id = "printed";
  app.canvas.after(sheet);
  let theme = null;
  addEventListener("beforeprint", () => {
    if (app.mine.shown) return;
    theme = app.state.theme;
    app.set({ theme: "light" });
    const part = shapeOf(app);
    const { state, view, size } = app;
    const [sharp, split] = [app.renderer.getPixelRatio(), state.split];
    state.split = (split * size[0] + (part.width - size[0]) / 2) / part.width;
    app.printing = true;
    show(app, [part.width, size[1]], RATIO);
    app.draw();
    compose(sheet, app, part);
    app.printing = false;
    state.split = split;
    show(app, size, sharp);
    view.adapt();
  });
  addEventListener("afterprint", () => {
    if (theme === null) return;
    app.set({ theme });
    theme = null;
  });
}

/** What of the picture is printed: rows `top` to `top + height`, `width` pixels wide, at least what is seen now. */
function shapeOf({ view: { size: [w, h], margins } }) {
  const height = Math.max(h - margins.top - margins.bottom, Math.min(h, w / SHAPE));
  const middle = (margins.top + h - margins.bottom) / 2;
  return { top: Math.min(Math.max(middle - height / 2, 0), h - height), height, width: Math.round(Math.max(w, height * SHAPE)) };
}

function show(app, size, ratio) {
  app.size = size;
  app.view.resize(...size);
  app.sharpen(ratio);
}

function compose(sheet, app, { top, height, width }) {
  [sheet.width, sheet.height] = [width * RATIO, Math.round(height * RATIO)];
  const g = sheet.getContext("2d");
  g.scale(RATIO, RATIO);
  g.translate(0, -top);
  g.drawImage(app.canvas, 0, 0, width, app.view.size[1]);
  const { divider, tags } = app.ui;
  const x = Math.round(app.state.split * width);
  if (!divider.hidden) {
    g.fillStyle = "#16191f";
    g.fillRect(x - 1, top, 2, height);
  }
  tags.filter((e) => !e.hidden).forEach((tag, k) => {
    const half = widthOf(g, tag.textContent) / 2 + 24;
    write(g, tag.textContent, k ? x + half : x - half, top + 26, true);
  });
  for (const { name, x: lx, y, pin, anchor } of app.labels.out) {
    if (anchor) {
      g.strokeStyle = "#16191f";
      g.lineWidth = 2;
      g.beginPath();
      g.moveTo(...anchor);
      g.lineTo(lx, y);
      g.stroke();
    }
    write(g, name, lx, y, pin);
  }
}

function widthOf(g, text) {
  g.font = "600 14px system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', Arial, sans-serif";
  return g.measureText(text).width;
}

function write(g, text, x, y, framed) {
  const w = widthOf(g, text) + 20;
  g.textAlign = "center";
  g.textBaseline = "middle";
  if (framed) {
    g.fillStyle = "#16191f";
    g.fillRect(x - w / 2, y - 13, w, 26);
  } else {
    g.strokeStyle = "rgba(250, 248, 243, 0.95)";
    g.lineWidth = 4;
    g.lineJoin = "round";
    g.strokeText(text, x, y);
  }
  g.fillStyle = framed ? "#fff" : "#16191f";
  g.fillText(text, x, y);
}
