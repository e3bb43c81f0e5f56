// Panning and zooming of a canvas by wheel, drag and two fingers.

/**
 * Listens on `target`. `act` has `zoom(factor, x, y)`, `pan(dx, dy)`, `tap(x, y, event)` and `hover(x, y)`
 * (`null` when the pointer left), in CSS pixels of the element. Returns what ends it.
 */
export function panning(target, act) {
  const held = new Map();
  let moved = 0;
  const at = (event) => {
    const box = target.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const listeners = {
    wheel(event) {
      event.preventDefault();
      const [x, y] = at(event);
      const lines = event.deltaMode === 1 ? 16 : 1;
      if (event.shiftKey) act.pan(-(event.deltaX || event.deltaY) * lines, 0);
      else act.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)), x, y);
    },
    pointerdown(event) {
      if (event.button) return;
      target.setPointerCapture(event.pointerId);
      held.set(event.pointerId, at(event));
      if (held.size === 1) moved = 0;
    },
    pointermove(event) {
      const [x, y] = at(event);
      const before = held.get(event.pointerId);
      if (!before) {
        act.hover(x, y);
        return;
      }
      const others = [...held].filter(([id]) => id !== event.pointerId);
      if (others.length) {
        const [ox, oy] = others[0][1];
        const was = Math.hypot(before[0] - ox, before[1] - oy);
        const now = Math.hypot(x - ox, y - oy);
        if (was > 4) act.zoom(now / was, (x + ox) / 2, (y + oy) / 2);
        moved = 99;
      } else {
        moved += Math.abs(x - before[0]) + Math.abs(y - before[1]);
        if (moved > 4) act.pan(x - before[0], y - before[1]);
      }
      held.set(event.pointerId, [x, y]);
    },
    pointerup(event) {
      if (held.delete(event.pointerId) && moved <= 4) act.tap(...at(event), event);
    },
    pointercancel(event) {
      held.delete(event.pointerId);
    },
    pointerleave() {
      act.hover(null, null);
    },
  };
  for (const [name, call] of Object.entries(listeners)) target.addEventListener(name, call, { passive: false });
  return () => {
    for (const [name, call] of Object.entries(listeners)) target.removeEventListener(name, call);
  };
}
