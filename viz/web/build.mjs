// Bundles the viewer: dist/viewer.js, dist/viewer.css, and the licences of all that is in them.
import { build } from "esbuild";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";

const OUT = "dist";
await mkdir(OUT, { recursive: true });
const done = await build({
  entryPoints: { viewer: "src/main.js" },
  outdir: OUT,
  bundle: true,
  format: "iife",
  target: ["es2022"],
  minify: true,
  legalComments: "none",
  charset: "utf8",
  metafile: true,
});
await build({ entryPoints: ["src/viewer.css"], outdir: OUT, minify: true, charset: "utf8" });

const used = new Set();
for (const path of Object.keys(done.metafile.inputs)) {
  const found = path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//);
  if (found) used.add(found[1]);
}
const parts = ["What the presentation's viewer.js holds of others.\n"];
for (const name of [...used].sort()) {
  const folder = `node_modules/${name}`;
  const about = JSON.parse(await readFile(`${folder}/package.json`, "utf8"));
  const file = (await readdir(folder)).find((f) => /^licen[cs]e/i.test(f));
  if (!file) throw new Error(`${name}: carries no licence file`);
  const text = await readFile(`${folder}/${file}`, "utf8");
  parts.push(`${name} ${about.version} (${about.license})\n\n${text.trim()}\n`);
}
await writeFile(`${OUT}/LICENSES.txt`, parts.join(`\n${"-".repeat(78)}\n\n`));
