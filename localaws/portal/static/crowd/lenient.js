// Read the lists and objects that templates write into attributes.
//
// AWS's samples write "['A', 'B']", objects with bare keys and trailing commas, so JSON.parse is too strict. This is a
// parser and never an evaluator: an attribute may hold text of a stranger.

const NAMES = { true: true, false: false, null: null, True: true, False: false, None: null };
const AFTER_STRING = /^\s*([,\]}:]|$)/;

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  peek() {
    while (/\s/.test(this.text[this.at] ?? '')) this.at += 1;
    return this.text[this.at];
  }

  value() {
    const next = this.peek();
    if (next === '[') return this.list();
    if (next === '{') return this.object();
    if (next === '"' || next === "'" || next === '`') return this.string(next);
    return this.word();
  }

  list() {
    const items = [];
    this.at += 1;
    for (let next = this.peek(); next !== ']'; next = this.peek()) {
      if (next === undefined) throw new SyntaxError('a list does not end');
      if (next === ',') this.at += 1;
      else items.push(this.value());
    }
    this.at += 1;
    return items;
  }

  object() {
    const entries = [];
    this.at += 1;
    for (let next = this.peek(); next !== '}'; next = this.peek()) {
      if (next === undefined) throw new SyntaxError('an object does not end');
      if (next === ',') {
        this.at += 1;
        continue;
      }
      const key = String(this.value());
      if (this.peek() !== ':') throw new SyntaxError(`no colon after ${key}`);
      this.at += 1;
      entries.push([key, this.value()]);
    }
    this.at += 1;
    return Object.fromEntries(entries);
  }

  // A quote ends the string only where something may follow it, so that 'Don't know' is read as it was meant.
  string(quote) {
    let result = '';
    for (this.at += 1; this.at < this.text.length; this.at += 1) {
      const next = this.text[this.at];
      if (next === '\\') {
        this.at += 1;
        result += this.escape();
      } else if (next === quote && AFTER_STRING.test(this.text.slice(this.at + 1))) {
        this.at += 1;
        return result;
      } else {
        result += next;
      }
    }
    throw new SyntaxError('a string does not end');
  }

  escape() {
    const next = this.text[this.at];
    if (next === 'u') {
      const code = this.text.slice(this.at + 1, this.at + 5);
      this.at += 4;
      return String.fromCharCode(parseInt(code, 16));
    }
    return { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' }[next] ?? next;
  }

  word() {
    const found = /^[^,\]}:]+/.exec(this.text.slice(this.at));
    if (!found) throw new SyntaxError(`nothing to read at ${this.at}`);
    this.at += found[0].length;
    const word = found[0].trim();
    if (word in NAMES) return NAMES[word];
    return word !== '' && Number.isFinite(Number(word)) ? Number(word) : word;
  }
}

export function parse(text) {
  const reader = new Reader(text);
  const value = reader.value();
  if (reader.peek() !== undefined) throw new SyntaxError(`unread text at ${reader.at}`);
  return value;
}

// A list from an attribute; words between commas where the text is no list at all.
export function parseList(text) {
  const trimmed = (text ?? '').trim();
  if (trimmed === '') return [];
  if (!trimmed.startsWith('[')) return trimmed.split(',').map((word) => word.trim()).filter(Boolean);
  const list = parse(trimmed);
  return Array.isArray(list) ? list : [list];
}

// The value of an attribute that may be an object, a list or just text.
export function parseLoose(text) {
  const trimmed = (text ?? '').trim();
  if (!/^[[{]/.test(trimmed)) return trimmed;
  try {
    return parse(trimmed);
  } catch (error) {
    if (error instanceof SyntaxError) return trimmed;
    throw error;
  }
}
