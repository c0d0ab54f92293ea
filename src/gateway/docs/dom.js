// Elements, made without markup in strings: nothing that comes from the server can become markup.

/** el("a.plain", {href: "#/"}, "text", child, …); null children are left out. */
export function el(what, attributes, ...children) {
  const [name, ...classes] = what.split(".");
  const made = document.createElement(name);
  if (classes.length) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== "") made.append(child);
  }
  return made;
}

export const pretty = (value) => JSON.stringify(value, null, 2);
