"use strict";
(function () {
  var tip = document.getElementById("tip");
  function show(event) {
    var street = event.target.closest ? event.target.closest("use[data-v]") : null;
    if (!street) { tip.style.display = "none"; return; }
    var shape = document.getElementById(street.getAttribute("href").slice(1));
    var value = street.getAttribute("data-v");
    var unit = street.closest("svg").getAttribute("data-unit");
    tip.textContent = (shape.getAttribute("data-n") || tip.dataset.nameless) + ": " +
      (value === "" ? tip.dataset.none : value + " " + unit);
    tip.style.display = "block";
    tip.style.left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.max(8, event.clientY - tip.offsetHeight - 12) + "px";
  }
  document.addEventListener("pointermove", show, { passive: true });
  document.addEventListener("pointerdown", show, { passive: true });
  window.addEventListener("scroll", function () { tip.style.display = "none"; }, { passive: true });
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (d) { d.open = true; });
  });
})();
