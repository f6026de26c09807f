// The map on paper: the picture with its labels as one image, in light colours; title, legend and source around it.

const RATIO = 2; // pixels of the image for one of the page

export function printable(app) {
  const sheet = document.createElement("canvas");
  sheet.id = "printed";
  app.canvas.after(sheet);
  let theme = null;
  addEventListener("beforeprint", () => {
    if (app.mine.shown) return;
    theme = app.state.theme;
    app.set({ theme: "light" });
    const sharp = app.renderer.getPixelRatio();
    app.sharpen(RATIO);
    app.draw();
    compose(sheet, app);
    app.sharpen(sharp);
  });
  addEventListener("afterprint", () => {
    if (theme === null) return;
    app.set({ theme });
    theme = null;
  });
}

function compose(sheet, app) {
  const [w, height] = app.view.size;
  [sheet.width, sheet.height] = [w * RATIO, height * RATIO];
  const g = sheet.getContext("2d");
  g.scale(RATIO, RATIO);
  g.drawImage(app.canvas, 0, 0, w, height);
  const { divider, tags } = app.ui;
  if (!divider.hidden) {
    const x = Math.round(app.state.split * w);
    g.fillStyle = "#16191f";
    g.fillRect(x - 1, 0, 2, height);
  }
  for (const tag of tags.filter((e) => !e.hidden)) {
    const box = tag.getBoundingClientRect();
    write(g, tag.textContent, (box.left + box.right) / 2, 24, true);
  }
  for (const { name, x, y, pin, anchor } of app.labels.out) {
    if (anchor) {
      g.strokeStyle = "#16191f";
      g.lineWidth = 2;
      g.beginPath();
      g.moveTo(...anchor);
      g.lineTo(x, y);
      g.stroke();
    }
    write(g, name, x, y, pin);
  }
}

function write(g, text, x, y, framed) {
  g.font = "600 14px system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', Arial, sans-serif";
  g.textAlign = "center";
  g.textBaseline = "middle";
  if (framed) {
    const w = g.measureText(text).width + 20;
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
