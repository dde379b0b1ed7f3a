(function () {
  if (!window.Plotly) return;
  var figures = JSON.parse(document.getElementById("figures").textContent);
  var player = document.getElementById("player");
  function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
  function themed(figure) {
    var copy = JSON.parse(JSON.stringify(figure.layout));
    if (figure.narrow && window.innerWidth <= 600) copy.margin.l = figure.narrow;
    copy.paper_bgcolor = copy.plot_bgcolor = "rgba(0,0,0,0)";
    copy.font = { color: colour("--soft"), size: 12, family: "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif" };
    copy.hoverlabel = { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--text") } };
    Object.keys(copy).filter(function (key) { return /^[xy]axis/.test(key); }).forEach(function (axis) {
      copy[axis].gridcolor = colour("--grid");
      copy[axis].linecolor = copy[axis].tickcolor = colour("--line");
      copy[axis].zeroline = false;
    });
    return copy;
  }
  function stamp(ms) { return new Date(ms).toISOString().slice(0, 23); }
  Object.keys(figures).forEach(function (id) {
    var figure = figures[id];
    if (figure.kind !== "timeline") return;
    var shared = figure.x.map(stamp), axis = figure.layout.xaxis;
    figure.data.forEach(function (trace) { trace.x = trace.x ? trace.x.map(stamp) : shared; });
    axis.range = axis.range.map(stamp);
  });
  function draw() {
    Object.keys(figures).forEach(function (id) {
      var place = document.getElementById(id), figure = figures[id];
      Plotly.react(place, figure.data, themed(figure), { displayModeBar: false, responsive: true });
      if (player && figure.kind === "timeline" && !place.dataset.seeks) {
        place.dataset.seeks = "yes";
        place.on("plotly_click", function (event) {
          player.currentTime = Date.parse(String(event.points[0].x).replace(" ", "T").slice(0, 23) + "Z") / 1000 || 0;
        });
      }
    });
  }
  draw();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
