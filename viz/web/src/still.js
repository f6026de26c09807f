// What does not move is drawn once and kept, so that slow machines draw vehicles alone.
import * as THREE from "three";

export const STILL = 0; // layer of what stands
export const MOVING = 1; // layer of vehicles and lights

export class Still {
  constructor(renderer) {
    this.renderer = renderer;
    this.material = new THREE.ShaderMaterial({
      uniforms: { uColour: { value: null }, uDepth: { value: null } },
      vertexShader: "varying vec2 vUv; void main() { vUv = uv; gl_Position = vec4(position.xy, 0.0, 1.0); }",
      fragmentShader: `uniform sampler2D uColour; uniform sampler2D uDepth; varying vec2 vUv;
        void main() { gl_FragColor = texture2D(uColour, vUv); gl_FragDepth = texture2D(uDepth, vUv).r; }`,
      depthFunc: THREE.AlwaysDepth,
    });
    this.scene = new THREE.Scene();
    const sheet = new THREE.Mesh(new THREE.PlaneGeometry(2, 2), this.material);
    sheet.frustumCulled = false;
    this.scene.add(sheet);
    this.camera = new THREE.Camera();
  }

  /** Draw what is kept under a key, and first anew if the key is another one. */
  show(key, [width, height], ratio, paint) {
    const { renderer } = this;
    const size = [Math.floor(width * ratio), Math.floor(height * ratio)];
    if (!this.target || this.target.width !== size[0] || this.target.height !== size[1]) {
      this.target?.dispose();
      const depth = new THREE.DepthTexture(...size, THREE.UnsignedInt248Type);
      depth.format = THREE.DepthStencilFormat;
      this.target = new THREE.WebGLRenderTarget(...size, { depthTexture: depth, stencilBuffer: true, generateMipmaps: false });
      this.target.scissorTest = true;
      this.material.uniforms.uColour.value = this.target.texture;
      this.material.uniforms.uDepth.value = depth;
      this.key = null;
    }
    if (this.key !== key) {
      paint((x, w) => {
        const [from, wide] = [Math.round(x * ratio), Math.round(w * ratio)];
        this.target.viewport.set(from, 0, wide, size[1]);
        this.target.scissor.set(from, 0, wide, size[1]);
        renderer.setRenderTarget(this.target);
      });
      renderer.setRenderTarget(null);
      this.key = key;
    }
    renderer.setScissorTest(false);
    renderer.setViewport(0, 0, width, height);
    renderer.render(this.scene, this.camera);
  }
}
