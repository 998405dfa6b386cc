/**
 * Regular expressions of tokenizers that take a time in proportion to the text, whatever it is: watching the clock would cost more
 * than they do. The shipped policy's is the one of `datasets/builtin/vocabulary.ts`, which a test compares.
 */
export const KNOWN_PATTERNS: ReadonlySet<string> = new Set([
  ': (?:str|int|time|date)(?![a-z0-9_])[^a-z0-9_]*| (?:(?:a|an|the|my|to|for|at|in|on|of|by|with|from|and|then|also|about|under|called|named|times|some) )*|[a-z]+|[0-9]|_|[^a-z0-9_]+',
]);
