// The few shaders of the picture: flat areas, ribbons of a least width, blocks, shadows, boxes.
//
// What lies on the ground is drawn in a strict order without a depth test (painter's algorithm), so
// that coincident faces cannot flicker; only what stands on it tests depth. Over terrain the same
// faces are draped, tested, and pulled towards the eye.
import * as THREE from "three";

export const shared = {
  uMpp: { value: 0.001 }, // metres a pixel at one metre's distance
  uSun: { value: new THREE.Vector3(-0.55, -0.5, 0.85).normalize() },
  uFog: { value: new THREE.Color("#ffffff") },
  uFogFrom: { value: 1e9 },
};

const FOG = `
uniform vec3 uFog; uniform float uFogFrom;
vec3 fogged(vec3 c, float d) { return mix(c, uFog, smoothstep(uFogFrom, 2.2 * uFogFrom, d)); }`;

function material({ uniforms = {}, vertex, fragment, ...rest }) {
  return new THREE.ShaderMaterial({
    uniforms: { ...shared, ...uniforms },
    vertexShader: vertex,
    fragmentShader: `${FOG}\n${fragment}\n`,
    side: THREE.DoubleSide,
    ...rest,
  });
}

/** Settings of faces on the ground; `order` is their place in the pile (0 lowest). */
export function onGround(draped, order) {
  return draped
    ? { depthWrite: false, polygonOffset: true, polygonOffsetFactor: -1 - order,
        polygonOffsetUnits: -16 * (1 + order) }
    : { depthTest: false, depthWrite: false };
}

// Of what is seen through the houses that stand in front of it.
const THROUGH = { depthTest: true, depthFunc: THREE.GreaterDepth, depthWrite: false, blending: THREE.CustomBlending };

export function flatMaterial(colour, settings) {
  return material({
    uniforms: { uColour: { value: new THREE.Color(colour) } },
    vertex: `varying float vD;
      void main() { vec4 c = modelViewMatrix * vec4(position, 1.0); vD = -c.z;
        gl_Position = projectionMatrix * c; }`,
    fragment: `uniform vec3 uColour; varying float vD;
      void main() { gl_FragColor = vec4(fogged(uColour, vD), 1.0); }`,
    ...settings,
  });
}

/** Ground with relief, shaded by its slope. */
export function terrainMaterial(colour) {
  return material({
    uniforms: { uColour: { value: new THREE.Color(colour) } },
    vertex: `varying vec3 vP; varying float vD;
      void main() { vP = position; vec4 c = modelViewMatrix * vec4(position, 1.0); vD = -c.z;
        gl_Position = projectionMatrix * c; }`,
    fragment: `uniform vec3 uColour; uniform vec3 uSun; varying vec3 vP; varying float vD;
      void main() { vec3 n = normalize(cross(dFdx(vP), dFdy(vP))); n *= sign(n.z);
        float light = 0.55 + 0.45 * dot(n, uSun) / uSun.z;
        gl_FragColor = vec4(fogged(uColour * clamp(light, 0.6, 1.12), vD), 1.0); }`,
  });
}

const RIBBON = `
attribute vec2 aside; attribute float side; attribute float halfWidth; attribute float shift;
uniform float uMpp; uniform float uLeast; uniform float uMost; uniform float uEdge; varying float vD;
float narrow = 1.0;
vec4 ribbon() {
  vec4 c = viewMatrix * vec4(position, 1.0); vD = -c.z;
  float least = 0.5 * min(uLeast * uMpp * vD, uMost);
  float half_ = max(halfWidth, least) * narrow;
  float edge = uEdge * uMpp * vD;
  vec2 p = position.xy + aside * (half_ + edge) - aside * side * shift * (half_ - halfWidth);
  return projectionMatrix * viewMatrix * vec4(p, position.z, 1.0);
}`;

/** Ribbons of one colour, at least `least` pixels (and `most` metres by that) wide. */
export function ribbonMaterial(colour, least, settings, most = 1e9) {
  return material({
    uniforms: {
      uColour: { value: new THREE.Color(colour) }, uLeast: { value: least }, uMost: { value: most },
      uEdge: { value: 0 },
    },
    vertex: `${RIBBON} void main() { gl_Position = ribbon(); }`,
    fragment: `uniform vec3 uColour; varying float vD;
      void main() { gl_FragColor = vec4(fogged(uColour, vD), 1.0); }`,
    ...settings,
  });
}

/** Dashed or solid thin lines that fade before they would clutter. */
export function markingMaterial(colour, settings) {
  return material({
    uniforms: {
      uColour: { value: new THREE.Color(colour) }, uLeast: { value: 0 }, uMost: { value: 0 },
      uEdge: { value: 0 },
    },
    vertex: `${RIBBON} attribute float along; attribute float dash; varying float vAlong;
      varying float vDash; varying float vFade;
      void main() { gl_Position = ribbon(); vAlong = along; vDash = dash;
        vFade = 1.0 - smoothstep(0.16, 0.45, uMpp * vD); if (vFade <= 0.0) gl_Position = vec4(2.0); }`,
    fragment: `uniform vec3 uColour; varying float vAlong; varying float vDash; varying float vFade;
      void main() { if (vDash > 0.5 && fract(vAlong / 9.0) > 0.34) discard;
        gl_FragColor = vec4(uColour, vFade); }`,
    blending: THREE.CustomBlending, ...settings,
  });
}

/**
 * Streets in the colours of a texture, one texel a street; a clear texel is no band.
 *
 * `role` 0 is the band itself, of the chosen street in `uNone` where it has no value; 1 the mark of the
 * chosen street, `edge` pixels wider; 2 what shines of a band through the houses in front of it.
 */
export function bandMaterial(settings, role, edge) {
  return material({
    uniforms: {
      uColours: { value: null }, uLeast: { value: 4.5 }, uMost: { value: 60 },
      uChosen: { value: -1 }, uRole: { value: role }, uEdge: { value: edge }, uInk: { value: new THREE.Color("#111") },
      uNone: { value: new THREE.Color() }, uNames: { value: null },
    },
    vertex: `${RIBBON} attribute float street; uniform sampler2D uColours; uniform sampler2D uNames;
      uniform float uChosen; uniform float uRole; uniform vec3 uInk; uniform vec3 uNone; varying vec3 vColour;
      void main() { int k = int(street + 0.5); ivec2 at = ivec2(k % 1024, k / 1024);
        vec4 t = texelFetch(uColours, at, 0); vColour = t.rgb;
        if (t.a >= 0.5 && t.a < 0.9) narrow = 0.4;
        gl_Position = ribbon();
        bool mine = uChosen >= 0.0 && abs(texelFetch(uNames, at, 0).r - uChosen) < 0.5;
        if (uRole == 1.0) { vColour = uInk; if (!mine) gl_Position = vec4(2.0); }
        else if (t.a < 0.5) { vColour = uNone; if (!mine || uRole == 2.0) gl_Position = vec4(2.0); }
      }`,
    fragment: `varying vec3 vColour; varying float vD;
      void main() { gl_FragColor = vec4(vColour, ${role === 2 ? "0.6" : "1.0"}); }`,
    ...settings,
    ...(role === 2 ? THROUGH : {}),
  });
}

/** Stripes across the streets that are closed, or a dotted edge along those that something else is done to. */
export function tapeMaterial(settings, closes, through = false) {
  return material({
    uniforms: {
      uColours: { value: [] }, uInk: { value: new THREE.Color() }, uStripe: { value: 6 },
      uLeast: { value: closes ? 9 : 4.5 }, uMost: { value: closes ? 120 : 60 }, uEdge: { value: closes ? 0 : 1.6 },
    },
    vertex: `${RIBBON} attribute float along; varying float vAlong; varying float vSide; varying float vWide; varying float vOuter;
      void main() { gl_Position = ribbon(); vAlong = along; vSide = side; vOuter = shift;
        vWide = max(halfWidth, 0.5 * min(uLeast * uMpp * vD, uMost)) / (uMpp * vD) + uEdge; }`,
    fragment: closes
      ? `uniform vec3 uColours[2]; uniform float uStripe; varying float vAlong; varying float vSide; varying float vD;
      void main() { float k = fract((vAlong / uStripe + 0.25 * vSide) / 2.0);
        gl_FragColor = vec4(k < 0.5 ? uColours[0] : uColours[1], ${through ? "0.55" : "1.0"}); }`
      : `uniform vec3 uInk; uniform float uStripe; varying float vAlong; varying float vSide; varying float vWide;
      varying float vOuter; varying float vD;
      void main() { if (fract(vAlong / (2.0 * uStripe)) > 0.5 || (1.0 - abs(vSide)) * vWide > 1.6
          || (vOuter > 0.5 && vSide > 0.0)) discard;
        gl_FragColor = vec4(uInk, 1.0); }`,
    ...settings,
    ...(through ? THROUGH : {}),
  });
}

/** Boards that stand across a lane: white below, red above. */
export function boardMaterial() {
  return material({
    vertex: `attribute vec4 at; attribute vec3 size; varying float vUp;
      void main() { vec3 p = position * size; vUp = position.z; float a = cos(at.w); float b = sin(at.w);
        p = at.xyz + vec3(a * p.x - b * p.y, b * p.x + a * p.y, p.z);
        gl_Position = projectionMatrix * viewMatrix * vec4(p, 1.0); }`,
    fragment: `varying float vUp;
      void main() { gl_FragColor = vec4(vUp > 0.5 ? vec3(0.835, 0.251, 0.169) : vec3(1.0), 1.0); }`,
    side: THREE.FrontSide,
  });
}

/** Blocks, shaded flat by the slope of their faces and darker at the foot. */
export function blockMaterial() {
  return material({
    uniforms: {
      uRoof: { value: new THREE.Color() }, uTile: { value: new THREE.Color() }, uWall: { value: new THREE.Color() },
      uChosen: { value: -1 }, uMark: { value: new THREE.Color() },
    },
    vertex: `attribute float above; attribute float row; attribute float tile; varying vec3 vP;
      varying float vAbove; varying float vRow; varying float vD; varying float vTile;
      void main() { vP = position; vAbove = above; vRow = row; vTile = tile;
        vec4 c = modelViewMatrix * vec4(position, 1.0); vD = -c.z;
        gl_Position = projectionMatrix * c; }`,
    fragment: `uniform vec3 uRoof; uniform vec3 uWall; uniform vec3 uTile; uniform vec3 uSun; uniform vec3 uMark;
      uniform float uChosen; varying float vTile; varying vec3 vP; varying float vAbove; varying float vRow;
      varying float vD;
      void main() { vec3 n = normalize(cross(dFdx(vP), dFdy(vP)));
        if (dot(n, cameraPosition - vP) < 0.0) n = -n;
        float shade = 0.96 + 0.04 * fract(vRow * 0.618034);
        float light = max(dot(n, uSun), 0.0);
        vec3 c = n.z > 0.9 ? uRoof * shade
          : mix(uWall, uRoof, n.z > 0.15 ? 0.75 : 0.0) * shade * (0.66 + 0.42 * light)
            * (0.86 + 0.14 * min(vAbove / 9.0, 1.0));
        if (vTile > 0.5) c = uTile * shade * (0.74 + 0.34 * light);
        if (abs(vRow - uChosen) < 0.5) c = mix(c, uMark, 0.72);
        gl_FragColor = vec4(fogged(c, vD), 1.0); }`,
    side: THREE.FrontSide,
  });
}

/** The same blocks, pressed onto the ground along the light; each pixel darkens once. */
export function shadowMaterial(settings) {
  return material({
    uniforms: { uDark: { value: 0.2 } },
    vertex: `attribute float above; uniform vec3 uSun;
      void main() { vec3 p = position - uSun * (above / uSun.z);
        gl_Position = projectionMatrix * viewMatrix * vec4(p, 1.0); }`,
    fragment: `uniform float uDark; void main() { gl_FragColor = vec4(0.07, 0.06, 0.12, uDark); }`,
    blending: THREE.CustomBlending,
    stencilWrite: true, stencilRef: 1, stencilFunc: THREE.NotEqualStencilFunc,
    stencilZPass: THREE.ReplaceStencilOp,
    ...settings,
  });
}

export function edgeMaterial() {
  return material({
    uniforms: { uColour: { value: new THREE.Color() }, uAlpha: { value: 0.5 } },
    vertex: `varying float vA; uniform float uMpp;
      void main() { vec4 c = modelViewMatrix * vec4(position, 1.0); c.xyz *= 0.9996;
        vA = 1.0 - smoothstep(0.7, 2.4, uMpp * -c.z); gl_Position = projectionMatrix * c; }`,
    fragment: `uniform vec3 uColour; uniform float uAlpha; varying float vA;
      void main() { gl_FragColor = vec4(uColour, vA * uAlpha); }`,
    blending: THREE.CustomBlending, depthWrite: false,
  });
}

/** Row of the block as a colour, to find which one was clicked. */
export function pickMaterial() {
  return material({
    vertex: `attribute float row; varying float vRow;
      void main() { vRow = row + 1.0;
        gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0); }`,
    fragment: `varying float vRow; void main() { float r = floor(vRow + 0.5);
      gl_FragColor = vec4(mod(r, 256.0), mod(floor(r / 256.0), 256.0), floor(r / 65536.0), 255.0)
        / 255.0; }`,
    side: THREE.FrontSide,
  });
}

/** Vehicles: boxes with a dark body and a light or dark top, at least some pixels wide. */
export function vehicleMaterial() {
  return material({
    uniforms: {
      uMoving: { value: new THREE.Color("#ffffff") }, uStanding: { value: new THREE.Color("#111") },
      uBody: { value: new THREE.Color("#333") }, uLeast: { value: 3.2 },
    },
    vertex: `attribute vec4 at; attribute vec3 kind; uniform float uMpp; uniform float uLeast;
      uniform vec3 uMoving; uniform vec3 uStanding; uniform vec3 uBody;
      varying vec3 vColour; varying float vD;
      void main() { vec4 c = viewMatrix * vec4(at.xyz, 1.0); vD = -c.z;
        float grow = max(1.0, uLeast * uMpp * vD / 1.9);
        vec3 p = position * vec3(kind.x * max(1.0, grow * 0.8), 1.9 * grow, 1.5 * min(grow, 2.0));
        float a = cos(at.w); float b = sin(at.w);
        p = at.xyz + vec3(a * p.x - b * p.y, b * p.x + a * p.y, p.z + p.x * kind.z + 0.15);
        vec3 top = kind.y > 0.5 ? uStanding : uMoving;
        vColour = normal.z > 0.5 ? top : mix(uBody, top, 0.25);
        gl_Position = projectionMatrix * viewMatrix * vec4(p, 1.0); }`,
    fragment: `varying vec3 vColour; varying float vD;
      void main() { gl_FragColor = vec4(fogged(vColour, vD), 1.0); }`,
    side: THREE.FrontSide,
  });
}

/** Stop lines in the colour of their light; red ones are thicker. */
export function lightMaterial(settings) {
  return material({
    uniforms: { uTable: { value: [] } },
    vertex: `attribute vec4 bar; attribute vec2 size; attribute float light; uniform float uMpp;
      uniform vec3 uTable[4]; varying vec3 vColour;
      void main() { vec4 c = viewMatrix * vec4(bar.xyz, 1.0); float mpp = uMpp * -c.z;
        int k = int(light + 0.5); vColour = uTable[k];
        float thick = max(size.y, 2.6 * mpp) * (k == 0 ? 1.0 : 0.62);
        vec2 p = vec2((position.x - 0.5) * thick, position.y * size.x);
        float a = cos(bar.w); float b = sin(bar.w);
        gl_Position = projectionMatrix * viewMatrix
          * vec4(bar.xy + vec2(a * p.x - b * p.y, b * p.x + a * p.y), bar.z, 1.0);
        if (mpp > 0.8 || k == 3) gl_Position = vec4(2.0); }`,
    fragment: `varying vec3 vColour; void main() { gl_FragColor = vec4(vColour, 1.0); }`,
    ...settings,
  });
}

export function treeMaterial() {
  return material({
    uniforms: { uColour: { value: new THREE.Color() }, uTrunk: { value: new THREE.Color() } },
    vertex: `attribute vec4 at; varying vec3 vP; varying float vZ; varying float vD;
      void main() { float s = at.w; vec3 p = at.xyz + position * vec3(s * 0.62, s * 0.62, s);
        vP = p; vZ = position.z; vec4 c = viewMatrix * vec4(p, 1.0); vD = -c.z;
        gl_Position = projectionMatrix * c; }`,
    fragment: `uniform vec3 uColour; uniform vec3 uTrunk; uniform vec3 uSun; varying vec3 vP;
      varying float vZ; varying float vD;
      void main() { vec3 n = normalize(cross(dFdx(vP), dFdy(vP)));
        if (dot(n, cameraPosition - vP) < 0.0) n = -n;
        vec3 c = (vZ < 0.24 ? uTrunk : uColour) * (0.72 + 0.34 * max(dot(n, uSun), 0.0));
        gl_FragColor = vec4(fogged(c, vD), 1.0); }`,
  });
}
