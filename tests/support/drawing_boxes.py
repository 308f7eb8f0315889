"""What is wrong with how a page's drawings lie, computed from boxes and lines in a real browser.

A text's box is its ink: from the capitals' top to a little under its baseline. A line is every `line` element and every
path that is stroked and not filled, looked at each 2 px of the screen; those of the same colour as the page are none.
"""

FAULTS = r"""
const SLACK = 0.75, faults = [];
const shown = e => e.getClientRects().length > 0;
const ink = text => {
  const box = text.getBoundingClientRect(), size = text.getScreenCTM().d * parseFloat(getComputedStyle(text).fontSize);
  const base = new DOMPoint(0, text.y.baseVal[0].value).matrixTransform(text.getScreenCTM()).y;
  return { left: box.left, right: box.right, top: base - 0.74 * size, bottom: base + 0.2 * size, text };
};
const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > SLACK
  && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > SLACK;
const points = shape => {
  const matrix = shape.getScreenCTM(), length = shape.getTotalLength();
  const many = Math.max(2, Math.ceil(length * matrix.a / 2)), found = [];
  for (let i = 0; i <= many; i++) {
    const at = shape.getPointAtLength(length * i / many);
    found.push(new DOMPoint(at.x, at.y).matrixTransform(matrix));
  }
  return found;
};
const within = (box, p) => p.x > box.left + SLACK && p.x < box.right - SLACK
  && p.y > box.top + SLACK && p.y < box.bottom - SLACK;
for (const svg of document.querySelectorAll("svg.chart")) {
  if (!shown(svg)) continue;
  const name = (svg.getAttribute("aria-labelledby") || "what-if").split(" ")[0], edge = svg.getBoundingClientRect();
  const boxes = [...svg.querySelectorAll("text")].filter(t => shown(t) && t.textContent).map(ink);
  const say = (what, text, more) => faults.push(`${name}: ${what}: "${text.textContent}"${more ? ` ${more}` : ""}`);
  boxes.forEach((box, i) => {
    if (box.left < edge.left - SLACK || box.right > edge.right + SLACK
        || box.top < edge.top - SLACK || box.bottom > edge.bottom + SLACK) say("outside", box.text);
    for (const other of boxes.slice(i + 1))
      if (meet(box, other)) say("overlap", box.text, `and "${other.text.textContent}"`);
  });
  for (const shape of svg.querySelectorAll("line, path, polyline")) {
    const style = getComputedStyle(shape);
    if (!shown(shape) || style.stroke === "none" || style.fill !== "none" && shape.tagName !== "line") continue;
    const places = points(shape);
    for (const box of boxes)
      if (places.some(p => within(box, p))) say("crossed", box.text, `by ${shape.getAttribute("class")}`);
  }
}
return faults;
"""

SMALL = r"""
return [...document.querySelectorAll("svg.chart text")].filter(t => t.getClientRects().length && t.textContent)
  .map(t => [t.textContent, parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().d])
  .filter(([, size]) => size < arguments[0]).map(([text, size]) => `${text}: ${size.toFixed(1)} px`);
"""
