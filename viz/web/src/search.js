// Streets by what somebody types: without accents, ß as ss, str. as straße.

/** A text as it is compared. */
export function plain(text) {
  return text.toLowerCase().replace(/ß/g, "ss").normalize("NFD").replace(/[\u0300-\u036f]/g, "")
    .replace(/str(\.|$)(?=\s|$)/g, "strasse").replace(/\./g, " ").replace(/\s+/g, " ").trim();
}

/** Positions of the names that match, best first: those that begin so, then words, then parts. */
export function matches(names, typed, most = 8) {
  const wanted = plain(typed);
  if (!wanted) return [];
  const found = [];
  names.forEach((name, k) => {
    const own = plain(name);
    const at = own.indexOf(wanted);
    if (at >= 0) found.push([at === 0 ? 0 : own[at - 1] === " " ? 1 : 2, own.length, k]);
  });
  return found.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]).slice(0, most).map((f) => f[2]);
}
