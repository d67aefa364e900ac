// The volumes in three planes. Without WebGL the still pictures stay open instead.
(async () => {
  const find = (id) => document.getElementById(id);
  if (!document.createElement("canvas").getContext("webgl2")) {
    document.body.dataset.viewer = "stills";
    return;
  }
  const data = JSON.parse(find("volumes").textContent);
  find("viewer").hidden = false;
  find("stills").open = false;

  const nv = new niivue.Niivue({
    isRadiologicalConvention: true,  // the patient's right on the left
    sagittalNoseLeft: true,
    multiplanarForceRender: false,
    multiplanarShowRender: 0,
    multiplanarPadPixels: 12,  // so that letters of neighbouring planes do not touch
    dragAndDropEnabled: false,
    dragMode: 9,  // windowing
    showAllOrientationMarkers: true,
    crosshairColor: [0.2, 0.9, 0.4, 0.7],
    crosshairWidth: 0.6,
    crosshairWidthUnit: "mm",
    crosshairGap: 4,
    fontColor: [1, 1, 1, 1],
    logLevel: "error",
  });
  await nv.attachToCanvas(find("canvas"));
  for (const [name, colors] of Object.entries(data.colormaps)) nv.addColormap("bundle " + name, colors);
  const volumes = {};
  const facts = {};
  for (const layer of data.layers) {
    facts[layer.name] = layer;
    volumes[layer.name] = await niivue.NVImage.loadFromBase64({
      base64: layer.nifti,
      name: layer.name + ".nii.gz",
      colormap: layer.colormap === "gray" ? "gray" : "bundle " + (layer.colormap || "gray"),
      cal_min: layer.window[0],
      cal_max: layer.window[1],
    });
  }

  const shown = () => {
    const above = find("above").value;
    const moving = find("before").checked ? "start" : "warped";
    return [find("below").value, above === "moving" ? moving : above].filter((name) => name !== "none");
  };
  const show = () => {
    const [below, above] = shown();
    const [lowest, highest] = facts[below].window;
    const at = (id) => lowest + (highest - lowest) * find(id).value / 100;
    volumes[below].opacity = 1;
    volumes[below].cal_min = Math.min(at("darkest"), at("brightest"));
    volumes[below].cal_max = Math.max(at("darkest"), at("brightest"));
    if (above) volumes[above].opacity = find("opacity").value / 100;
    for (const name of ["start", "warped"]) volumes[name].colormap = "bundle " + find("colormap").value;
    nv.volumes = shown().map((name) => volumes[name]);
    nv.back = nv.volumes[0];
    nv.overlays = nv.volumes.slice(1);
    nv.updateGLVolume();
    nv.createOnLocationChange();
  };
  // Both ends of the window also stand for the values beyond it, which the 8 bits do not hold.
  const bound = ({ window: [lowest, highest], clipped: [below, above] }, value) => {
    const half = (highest - lowest) / 510;
    if (above && value > highest - half) return "≥ ";
    return below && value < lowest + half ? "≤ " : "";
  };
  nv.onLocationChange = ({ mm, values }) => {
    const told = values.filter(({ name }) => !name.startsWith("color")).map(({ name, value }) => {
      const layer = facts[name.split(".")[0]];
      return `${layer.label} ${bound(layer, value)}${Number(value.toPrecision(3))} ${layer.unit}`.trim();
    });
    const [x, y, z] = [...mm].map((value) => value.toFixed(0));
    find("place").textContent = [`${x}, ${y}, ${z} mm (RAS)`, ...told].join("; ");
  };

  for (const id of ["below", "above", "before", "after", "colormap"]) find(id).onchange = show;
  for (const id of ["opacity", "darkest", "brightest"]) find(id).oninput = show;
  find("plane").onchange = () => nv.setSliceType(Number(find("plane").value));
  let timer = 0;
  find("blink").onclick = () => {
    const flick = () => {
      find(find("before").checked ? "after" : "before").checked = true;
      show();
    };
    timer = timer ? clearInterval(timer) || 0 : setInterval(flick, 700);
    find("blink").textContent = timer ? "stop" : "blink";
  };
  show();
  window.viewer = { nv, shown };
  document.body.dataset.viewer = "ready";
})();
