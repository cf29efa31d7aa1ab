// The words in which two texts differ.

const MOST_CELLS = 4_000_000;

/** Pieces `{ kind, text }` of both texts in order; the kind is `same`, `removed` or `added`. */
export function diffWords(before, after) {
  const one = splitWords(before), other = splitWords(after);
  let start = 0;
  while (start < one.length && start < other.length && one[start] === other[start]) start++;
  let end = 0;
  while (end < one.length - start && end < other.length - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end++;
  const middle = compare(one.slice(start, one.length - end), other.slice(start, other.length - end));
  return join([...one.slice(0, start).map(same), ...middle, ...one.slice(one.length - end).map(same)]);
}

function splitWords(text) {
  return text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
}

function same(text) {
  return { kind: "same", text };
}

/** By the longest common subsequence; texts that are too long for it are replaced as a whole. */
function compare(one, other) {
  const removed = one.map((text) => ({ kind: "removed", text })), added = other.map((text) => ({ kind: "added", text }));
  if (!one.length || !other.length || one.length * other.length > MOST_CELLS) return [...removed, ...added];
  const width = other.length + 1, lengths = new Uint16Array((one.length + 1) * width);
  for (let i = one.length - 1; i >= 0; i--)
    for (let j = other.length - 1; j >= 0; j--)
      lengths[i * width + j] = one[i] === other[j] ? lengths[(i + 1) * width + j + 1] + 1 : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
  const found = [];
  let i = 0, j = 0;
  while (i < one.length && j < other.length) {
    if (one[i] === other[j]) {
      found.push(same(one[i++]));
      j++;
    } else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) found.push(removed[i++]);
    else found.push(added[j++]);
  }
  return [...found, ...removed.slice(i), ...added.slice(j)];
}

/** Neighbours of one kind as one piece. */
function join(pieces) {
  const found = [];
  for (const piece of pieces) {
    const last = found.at(-1);
    if (last?.kind === piece.kind) last.text += piece.text;
    else found.push({ ...piece });
  }
  return found;
}
