import { open } from 'node:fs/promises';
import { extname } from 'node:path';
import { LineCounter, parseDocument, type Document } from 'yaml';
import type { RunConfigInput } from '../../contracts/config.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { checkSettings } from './resolve.ts';

/** A configuration is a page of text; anything larger is another kind of file, and keys are compared with one another. */
const MAX_BYTES = 65_536;

/** The parser calls itself for each level, and what it does near the end of the stack can end the process. */
const MAX_NESTING = 100;

/**
 * Reads a configuration from a YAML or JSON file and checks its names and values; how they fit together is checked when
 * the configuration is resolved. The text is parsed, never evaluated; YAML aliases are bounded.
 * @throws ToolsampleError `not-found` or `config`, with file, line and field.
 */
export async function loadConfigFile(path: string): Promise<RunConfigInput> {
  const text = await readText(path);
  const tooDeep = deepLine(text);
  if (tooDeep !== undefined) {
    throw new ToolsampleError('config', `nests deeper than ${MAX_NESTING} levels`, {
      at: { file: path, row: tooDeep },
      hint: 'settings nest two or three levels deep',
    });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const position = lines.linePos(problem.pos[0]);
    const [what] = problem.message.split(/ at line \d+/);
    throw new ToolsampleError(
      'config',
      `not valid ${extname(path) === '.json' ? 'JSON' : 'YAML'}: ${what ?? problem.message} (column ${position.col})`,
      { at: { file: path, row: position.line }, hint: 'correct the syntax there' },
    );
  }
  const input = toObject(document, path);
  try {
    checkSettings(input);
  } catch (error) {
    throw atLine(error, path, document, lines);
  }
  return input;
}

async function readText(path: string): Promise<string> {
  try {
    const bytes = await readUpTo(path, MAX_BYTES + 1);
    if (bytes.length > MAX_BYTES)
      throw new ToolsampleError(
        'config',
        `more than ${MAX_BYTES} bytes are too many for a configuration`,
        { at: { file: path }, hint: 'did you mean --data?' },
      );
    return bytes.toString();
  } catch (error) {
    if (error instanceof ToolsampleError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    throw new ToolsampleError(
      code === 'ENOENT' ? 'not-found' : 'config',
      code === 'ENOENT' ? 'no such file' : `cannot be read (${code ?? String(error)})`,
      { at: { file: path }, hint: 'check the path of --config', cause: error },
    );
  }
}

/** The beginning of a file, a pipe (`--config <(…)`) or a device, of which the size tells nothing. */
async function readUpTo(path: string, most: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(most);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, most - length);
      length += bytesRead;
      if (bytesRead === 0 || length === most) return buffer.subarray(0, length);
    }
  } finally {
    await file.close();
  }
}

/** So many marks of lists and keys after one another, each of which opens a level. */
const MANY_MARKS = new RegExp(`(?:[-?:]\\s+){${MAX_NESTING}}`);

/**
 * The first line that YAML could nest too deep: by open brackets, by how far it is indented, or by marks of lists and keys in a
 * row. Brackets within texts are counted as well: no configuration has so many that are not closed.
 */
function deepLine(text: string): number | undefined {
  let brackets = 0;
  for (const [index, line] of text.split('\n').entries()) {
    let deepest = 0;
    for (const character of line) {
      if (character === '[' || character === '{') deepest = Math.max(deepest, ++brackets);
      else if (character === ']' || character === '}') brackets = Math.max(0, brackets - 1);
    }
    const indented = line.trim() !== '' && /^\s*/.exec(line)![0].length > 2 * MAX_NESTING;
    if (deepest > MAX_NESTING || indented || MANY_MARKS.test(line)) return index + 1;
  }
  return undefined;
}

function toObject(document: Document, path: string): RunConfigInput {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new ToolsampleError('config', error instanceof Error ? error.message : String(error), {
      at: { file: path },
      hint: 'write the values out',
      cause: error,
    });
  }
  // An empty file, or one with comments only, changes nothing.
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new ToolsampleError('config', 'holds no settings', {
      at: { file: path },
      hint: 'write `key: value`, one a line',
    });
  return value as RunConfigInput;
}

/** Adds file and line to an error about a field. */
function atLine(error: unknown, file: string, document: Document, lines: LineCounter): unknown {
  if (!(error instanceof ToolsampleError)) return error;
  const { field } = error.location;
  const offset = field === undefined ? undefined : offsetOf(document, field);
  const problem = error.message
    .slice(error.message.indexOf(': ') + 2)
    .replace(` — ${error.hint ?? ''}`, '');
  return new ToolsampleError(error.code, problem, {
    at: {
      file,
      ...(offset === undefined ? {} : { row: lines.linePos(offset).line }),
      ...(field === undefined ? {} : { field }),
    },
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

/** Where the value of `a.b[0].c` starts. */
function offsetOf(document: Document, field: string): number | undefined {
  const path = field
    .split('.')
    .flatMap((part) => part.split(/[[\]]+/).filter((word) => word !== ''))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  for (let length = path.length; length > 0; length--) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (typeof node !== 'object' || node === null || !('range' in node)) continue;
    const range = node.range as readonly number[] | null | undefined;
    if (range?.[0] !== undefined) return range[0];
  }
  return undefined;
}
