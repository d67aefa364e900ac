for (const box of document.querySelectorAll(".compare")) {
  const over = [...box.querySelectorAll("img")].slice(1);
  const slider = box.querySelector("input"), choice = box.querySelector("select");
  const button = box.querySelector("button");
  let timer = 0;
  const show = () => over.forEach((picture, k) => {
    picture.style.opacity = k === choice.selectedIndex ? slider.value / 100 : 0;
  });
  const flick = () => { slider.value = slider.value < 50 ? 100 : 0; show(); };
  slider.oninput = choice.onchange = show;
  button.onclick = () => {
    if (timer) { clearInterval(timer); timer = 0; } else { timer = setInterval(flick, 500); }
    button.textContent = timer ? "stop" : "blink";
  };
  show();
}
