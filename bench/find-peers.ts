import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Peer } from './in-turn.ts';
import { multipliesBf16 } from './machine.ts';
import { PACKAGE_QUERY, parsePackages, type PythonPackages } from './peer-answers.ts';
import { startPeer } from './peer-process.ts';

const PEERS = fileURLToPath(new URL('./peers', import.meta.url));
/** A folder with Python's packages on a cold disk may take its time. */
const QUERY_LIMIT_MILLISECONDS = 60_000;

/** Such a peer is no rival: it takes several times as long as in fp32. */
const NO_BF16 = 'this processor has no bf16 instructions';

/** What a script of `bench/peers` is told. */
interface PythonJob {
  readonly dtype: 'fp32' | 'bf16';
  readonly [name: string]: unknown;
}

/** What the product can be measured against on this machine. */
export interface Peers {
  /** What was found, or what is missing and how to get it; one line each. */
  readonly lines: readonly string[];
  /** Starts a script of `bench/peers`. @throws Error with the reason when Python, a package, or the processor's bf16 is missing */
  readonly python: (script: string, job: PythonJob) => Promise<Peer>;
  /** Decoding with llama.cpp of a model folder, which is converted into a file in `scratch` first. @throws Error as above */
  readonly llamaCpp: (folder: string, scratch: string, job: object) => Promise<Peer>;
}

/** Nobody to compare with. */
export function noPeers(reason: string): Peers {
  const refuse = (): Promise<never> => Promise.reject(new Error(reason));
  return { lines: [`Peers: ${reason}`], python: refuse, llamaCpp: refuse };
}

/**
 * Looks for Python's packages, in the Python that `TOOLSAMPLE_PYTHON` names (else `python3`), and for llama.cpp.
 * @param threads as the product's; 0: all cores
 */
export async function findPeers(threads: number): Promise<Peers> {
  const python = process.env['TOOLSAMPLE_PYTHON'] ?? 'python3';
  const used = threads === 0 ? availableParallelism() : threads;
  const found = await pythonPackages(python);
  const llama = await llamaVersion();
  const emulatesBf16 = (await multipliesBf16()) === false;
  const environment = {
    OMP_NUM_THREADS: String(used),
    // The bars are between processors, and nothing is fetched.
    CUDA_VISIBLE_DEVICES: '',
    HF_HUB_OFFLINE: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    TOKENIZERS_PARALLELISM: 'false',
  };
  const run = promisify(execFile);
  return {
    lines: [pythonLine(python, found), llamaLine(llama)],
    python: async (script, job) => {
      requirePackages(python, found, ['torch', 'transformers', 'trl', 'peft']);
      if (emulatesBf16 && job.dtype === 'bf16') throw new Error(NO_BF16);
      return startPeer(python, [join(PEERS, script)], { ...job, threads: used }, environment);
    },
    llamaCpp: async (folder, scratch, job) => {
      if (llama === null) throw new Error('node-llama-cpp is not installed');
      requirePackages(python, found, ['torch', 'gguf']);
      const file = join(scratch, 'bf16.gguf');
      await run(python, [join(PEERS, 'write_gguf.py'), folder, file], {
        env: { ...process.env, ...environment },
      });
      const program = join(PEERS, 'llama-cpp.js');
      return startPeer(process.execPath, [program], { ...job, file, threads: used });
    },
  };
}

async function pythonPackages(python: string): Promise<PythonPackages | null> {
  try {
    const options = { timeout: QUERY_LIMIT_MILLISECONDS };
    const { stdout } = await promisify(execFile)(python, ['-c', PACKAGE_QUERY], options);
    return parsePackages(stdout);
  } catch {
    return null;
  }
}

async function llamaVersion(): Promise<string | null> {
  const path = join(PEERS, 'node_modules', 'node-llama-cpp', 'package.json');
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return null;
  const { version } = JSON.parse(text) as { version?: string };
  return version ?? 'of unknown version';
}

function missing(found: PythonPackages | null, names: readonly string[]): string[] {
  return names.filter((name) => (found?.versions[name] ?? null) === null);
}

function requirePackages(
  python: string,
  found: PythonPackages | null,
  names: readonly string[],
): void {
  if (found === null) throw new Error(`${python} cannot be run`);
  const absent = missing(found, names);
  if (absent.length > 0) throw new Error(`${python} lacks ${absent.join(', ')}`);
}

function pythonLine(python: string, found: PythonPackages | null): string {
  const names = Object.keys(found?.versions ?? {});
  const absent = missing(found, names);
  if (found !== null && absent.length === 0) {
    const versions = names.map((name) => `${name} ${found.versions[name]}`);
    return `Peers: Python ${found.python}, ${versions.join(', ')}`;
  }
  const problem = found === null ? `no ${python}` : `${python} lacks ${absent.join(', ')}`;
  return (
    `Python peers are incomplete: ${problem}. pip install -r bench/peers/requirements.txt ` +
    'into a virtual environment, and name its Python in TOOLSAMPLE_PYTHON.'
  );
}

function llamaLine(version: string | null): string {
  if (version !== null) return `Peers: llama.cpp of node-llama-cpp ${version}`;
  return 'llama.cpp is not measured: npm install --prefix bench/peers';
}
