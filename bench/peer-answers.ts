import type { Repetition } from './compared-rows.ts';

/** What a peer says (bench/peers/serve.py). */
export type PeerAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'repetition'; readonly repetition: Repetition }
  | { readonly kind: 'error'; readonly message: string };

/** Reads one line of a peer's output. @throws Error when it is none of the answers agreed on */
export function parsePeerAnswer(line: string): PeerAnswer {
  const answer = parseObject(line);
  const { ready, error, seconds, tokens } = answer;
  if (typeof error === 'string') return { kind: 'error', message: error };
  if (ready === true) return { kind: 'ready' };
  if (positive(seconds) && positive(tokens)) {
    return { kind: 'repetition', repetition: { seconds, tokens } };
  }
  throw new Error(`a peer answered ${line.slice(0, 200)}`);
}

/** What was found of Python's packages: version, or null where it is missing. */
export interface PythonPackages {
  readonly python: string;
  readonly versions: { readonly [name: string]: string | null };
}

/** Reads what {@link PACKAGE_QUERY} prints. @throws Error when it is something else */
export function parsePackages(output: string): PythonPackages {
  const { python, versions } = parseObject(output);
  if (typeof python !== 'string' || typeof versions !== 'object' || versions === null) {
    throw new Error(`unexpected answer: ${output.slice(0, 200)}`);
  }
  return { python, versions: versions as PythonPackages['versions'] };
}

/** What the Python peers import. */
export const PEER_PACKAGES = ['torch', 'transformers', 'trl', 'peft', 'gguf'] as const;

/** Python that prints its version and those of the packages, without importing them, which takes long. */
export const PACKAGE_QUERY = `
import importlib.metadata as m, json, platform
def version(name):
    try:
        return m.version(name)
    except m.PackageNotFoundError:
        return None
names = ${JSON.stringify(PEER_PACKAGES)}
print(json.dumps({"python": platform.python_version(), "versions": {n: version(n) for n in names}}))
`;

function parseObject(text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new Error(`not JSON: ${text.slice(0, 200)}`, { cause });
  }
  if (typeof parsed === 'object' && parsed !== null) return parsed as Record<string, unknown>;
  throw new Error(`not an object: ${text.slice(0, 200)}`);
}

function positive(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}
