// Ball-and-stick viewer on plain canvases. Reads #scenes: [{call, xyz, symbols, rgb, radii, bonds: [atom, dx, dy, dz],
// edges: [x0, y0, z0, x1, y1, z1], bounds, errors}], lengths in Å, bounds and errors per atom in eV/Å.
(() => {
  "use strict";
  const source = document.getElementById("scenes");
  if (!source) return;
  const scenes = JSON.parse(source.textContent);
  const canvases = [...document.querySelectorAll(".portrait canvas")];
  let colouring = "element";

  const finite = (name) => scenes.flatMap((s) => s[name] || []).filter((v) => v !== null && v > 0);
  const ramp = (t) => {            // dark blue, teal, yellow: even steps of lightness, safe for the colour-blind
    const stops = [[49, 54, 110], [33, 145, 140], [253, 221, 67]];
    const u = Math.min(Math.max(t, 0), 1) * 2, k = Math.min(Math.floor(u), 1), f = u - k;
    return stops[k].map((c, n) => Math.round(c + f * (stops[k + 1][n] - c)));
  };
  const colourOf = (scene, a, top) => {
    if (colouring === "element") return scene.rgb[a];
    const v = scene[colouring] && scene[colouring][a];
    return v === null || v === undefined ? [150, 150, 150] : ramp(v / top);
  };
  const css = (c, f = 1) => `rgb(${c.map((v) => Math.round(f <= 1 ? v * f : v + (255 - v) * (f - 1))).join(",")})`;

  const times = (a, b) => {
    const c = new Array(9).fill(0);
    for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) for (let k = 0; k < 3; k++) c[3 * i + j] += a[3 * i + k] * b[3 * k + j];
    return c;
  };
  const about = (x, y) => {        // rotation by x about the vertical and by y about the horizontal axis of the screen
    const cx = Math.cos(x), sx = Math.sin(x), cy = Math.cos(y), sy = Math.sin(y);
    return times([1, 0, 0, 0, cy, -sy, 0, sy, cy], [cx, 0, sx, 0, 1, 0, -sx, 0, cx]);
  };
  const turn = (m, x, y, z) => [
    m[0] * x + m[1] * y + m[2] * z, m[3] * x + m[4] * y + m[5] * z, m[6] * x + m[7] * y + m[8] * z];

  function view(canvas, scene) {
    const state = { m: about(-0.45, 0.35), zoom: scene.edges.length ? 1.2 : 1 };
    const ends = scene.xyz.map((p, a) => Math.hypot(...p) + scene.radii[a])
      .concat(scene.edges.flatMap((e) => [Math.hypot(e[0], e[1], e[2]), Math.hypot(e[3], e[4], e[5])]));
    const size = Math.max(...ends, 1.5);

    function draw() {
      const ratio = window.devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
      canvas.width = w * ratio; canvas.height = h * ratio;
      const g = canvas.getContext("2d");
      g.scale(ratio, ratio); g.clearRect(0, 0, w, h); g.lineCap = "butt";
      const style = getComputedStyle(canvas), scale = state.zoom * Math.min(w, h) / (2 * size) * 0.96, far = 5 * size;
      const top = Math.max(...finite(colouring === "element" ? "bounds" : colouring), 1e-9);
      const place = (x, y, z) => {
        const p = turn(state.m, x, y, z), f = far / (far - p[2]);
        return [w / 2 + p[0] * f * scale, h / 2 - p[1] * f * scale, p[2], f];
      };
      const parts = [];
      for (const e of scene.edges) {
        const a = place(e[0], e[1], e[2]), b = place(e[3], e[4], e[5]);
        parts.push([(a[2] + b[2]) / 2 - 0.01, () => {
          g.strokeStyle = style.getPropertyValue("--muted"); g.lineWidth = 1;
          g.beginPath(); g.moveTo(a[0], a[1]); g.lineTo(b[0], b[1]); g.stroke();
        }]);
      }
      for (const [atom, dx, dy, dz] of scene.bonds) {
        const [x, y, z] = scene.xyz[atom], f = 0.85 * scene.radii[atom] / Math.hypot(dx, dy, dz);
        if (f >= 1) continue;      // the stick starts at the ball's surface, so that depth sorts it rightly
        const a = place(x + f * dx, y + f * dy, z + f * dz), b = place(x + dx, y + dy, z + dz);
        const c = colourOf(scene, atom, top), wide = 0.26 * scale * a[3];
        parts.push([(a[2] + b[2]) / 2, () => {
          for (const [f, part] of [[0.55, 1], [0.85, 0.72], [1.12, 0.3]]) {
            g.strokeStyle = css(c, f); g.lineWidth = wide * part;
            g.beginPath(); g.moveTo(a[0], a[1]); g.lineTo(b[0], b[1]); g.stroke();
          }
        }]);
      }
      scene.xyz.forEach(([x, y, z], atom) => {
        const p = place(x, y, z), r = scene.radii[atom] * scale * p[3], c = colourOf(scene, atom, top);
        parts.push([p[2], () => {
          const shade = g.createRadialGradient(p[0] - 0.35 * r, p[1] - 0.4 * r, 0.05 * r, p[0], p[1], r);
          shade.addColorStop(0, css(c, 1.75)); shade.addColorStop(0.35, css(c, 1.08));
          shade.addColorStop(0.8, css(c, 0.78)); shade.addColorStop(1, css(c, 0.5));
          g.fillStyle = shade; g.beginPath(); g.arc(p[0], p[1], r, 0, 2 * Math.PI); g.fill();
        }]);
      });
      parts.sort((a, b) => a[0] - b[0]).forEach(([, paint]) => paint());
    }

    let last = null;
    canvas.addEventListener("pointerdown", (e) => { last = [e.clientX, e.clientY]; canvas.setPointerCapture(e.pointerId); });
    canvas.addEventListener("pointermove", (e) => {
      if (!last) return;
      state.m = times(about((e.clientX - last[0]) * 0.01, (e.clientY - last[1]) * 0.01), state.m);
      last = [e.clientX, e.clientY]; draw();
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { last = null; });
    canvas.addEventListener("wheel", (e) => {
      if (!e.ctrlKey) return;      // plain wheel scrolls the page
      e.preventDefault(); state.zoom *= Math.exp(-e.deltaY * 0.002); draw();
    }, { passive: false });
    canvas.addEventListener("keydown", (e) => {
      const step = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] }[e.key];
      if (!step) return;
      e.preventDefault(); state.m = times(about(...step), state.m); draw();
    });
    new ResizeObserver(draw).observe(canvas);
    return draw;
  }

  const draws = canvases.map((canvas, k) => view(canvas, scenes[k]));
  const redraw = () => draws.forEach((draw) => draw());
  const legend = document.querySelector(".toggle .ramp");
  document.querySelectorAll("[data-colour]").forEach((button) => button.addEventListener("click", () => {
    colouring = button.dataset.colour;
    document.querySelectorAll("[data-colour]").forEach((b) => b.setAttribute("aria-pressed", String(b === button)));
    legend.hidden = colouring === "element";
    if (!legend.hidden) legend.querySelector("[data-ramp]").textContent = `0 to ${Math.max(...finite(colouring), 0).toPrecision(2)} eV/Å`;
    redraw();
  }));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  window.addEventListener("beforeprint", redraw);
})();
