// The lexer of FQL, in place of a package whose authors gave it no licence. Written from the grammar: identifiers of
// letters, digits, `_` and `-`, any other character after `\`; strings in either quotes, kept with them and without
// escapes; numbers with an optional sign; `and`, `or`, `null` are words of their own. What can't be read gives no
// tokens at all, which its caller takes for an invalid trigger.

const types = {
  Err: 'err',
  Ident: 'ident',
  Dot: 'dot',
  Operator: 'operator',
  Conditional: 'conditional',
  String: 'string',
  Number: 'number',
  Null: 'null',
  BrackLeft: 'brackleft',
  BrackRight: 'brackright',
  ParenLeft: 'parenleft',
  ParenRight: 'parenright',
  Comma: 'comma',
  EOS: 'eos'
}

const KINDS = [
  [/\s+/y, null],
  [/"[^"]*"|'[^']*'/y, types.String],
  [/[+-]?\d+(?:\.\d+)?/y, types.Number],
  [/(?:[A-Za-z_]|\\.)(?:[A-Za-z0-9_-]|\\.)*/sy, types.Ident],
  [/[<>!]=|[=<>!]/y, types.Operator],
  [/\./y, types.Dot],
  [/,/y, types.Comma],
  [/\(/y, types.ParenLeft],
  [/\)/y, types.ParenRight],
  [/\[/y, types.BrackLeft],
  [/\]/y, types.BrackRight]
]

const WORDS = { and: types.Conditional, or: types.Conditional, null: types.Null }

function next(text, at) {
  for (const [pattern, type] of KINDS) {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found) return { type, value: found[0] }
  }
  return null
}

function lex(text) {
  const tokens = []
  for (let at = 0; at < text.length; ) {
    const token = next(text, at)
    if (token === null) return { tokens: [], error: new Error(`unreadable at character ${at + 1}`) }
    at += token.value.length
    if (token.type === types.Ident) {
      const name = token.value.replace(/\\(.)/gs, '$1')
      tokens.push({ type: Object.hasOwn(WORDS, token.value) ? WORDS[token.value] : types.Ident, value: name })
    } else if (token.type !== null) {
      tokens.push(token)
    }
  }
  tokens.push({ type: types.EOS, value: 'eos' })
  return { tokens }
}

module.exports = { lex, types }
