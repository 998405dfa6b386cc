import type { ArtifactReader, ArtifactRef } from '../../contracts/artifacts.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { WeightTensor } from '../models/initial-weights.ts';
import { EMBEDDING, HEAD, tensorSpecs, type TensorSpec } from '../models/model-traits.ts';
import { parseArchitecture, type PolicyArchitecture } from './architecture.ts';
import { readManifest, readText, weightFiles, type CheckpointFiles } from './checkpoint-files.ts';
import { firstNonFinite } from './float-formats.ts';
import { checkpointError } from './safetensors-header.ts';
import { openSafetensors, type SafetensorsReader } from './safetensors.ts';

/** Tensors that old checkpoints carry although they can be computed, or that repeat a tied embedding. */
const REDUNDANT = /(^lm_head\.weight|rotary_emb\.inv_freq)$/;

/** The architecture that a checkpoint's `config.json` states. @throws ToolsampleError `checkpoint` */
export async function readArchitecture(files: CheckpointFiles): Promise<PolicyArchitecture> {
  return parseArchitecture(await readConfigJson(files));
}

/**
 * The architecture of a stored base, of which nothing else is fetched.
 * @throws ToolsampleError `checkpoint`; `not-found` or `corrupt-artifact` from the store
 */
export async function storedArchitecture(
  base: ArtifactRef,
  artifacts: Pick<ArtifactReader, 'get'>,
): Promise<PolicyArchitecture> {
  const { 'config.json': config } = (await readManifest(base, artifacts)).files;
  if (config === undefined) throw withoutConfig();
  return parseArchitecture(new TextDecoder().decode(await artifacts.get(config)));
}

/** A checkpoint's `config.json`. @throws ToolsampleError `checkpoint` when there is none */
export async function readConfigJson(files: CheckpointFiles): Promise<string> {
  const text = await readText(files, 'config.json');
  if (text !== undefined) return text;
  throw withoutConfig();
}

function withoutConfig(): ToolsampleError {
  return new ToolsampleError('checkpoint', 'file is missing', { at: { file: 'config.json' } });
}

/** Tensors that are read when they are asked for. */
export interface OpenWeights {
  /** One tensor as fp32. @throws ToolsampleError `checkpoint` when it is cut off, of the wrong type, NaN or infinite */
  read(name: string): Promise<WeightTensor>;
  close(): Promise<void>;
}

/**
 * Opens a checkpoint's weights and checks which tensors are there and their shapes.
 * @throws ToolsampleError `checkpoint` when a tensor is missing, unknown, twice there or of the wrong shape, or a tied head differs
 */
export async function openBaseWeights(
  files: CheckpointFiles,
  architecture: PolicyArchitecture,
): Promise<OpenWeights> {
  const readers = new Map<string, SafetensorsReader>();
  const open: SafetensorsReader[] = [];
  const close = async (): Promise<void> => {
    for (const reader of open) await reader.close();
  };
  try {
    for (const name of await weightFiles(files)) {
      const reader = await openSafetensors(files.paths[name]!, name);
      open.push(reader);
      for (const tensor of reader.header.entries.keys()) {
        const other = readers.get(tensor);
        if (other !== undefined) {
          throw checkpointError(name, `tensor is in ${other.label} as well`, tensor);
        }
        readers.set(tensor, reader);
      }
    }
    checkShapes(tensorSpecs(architecture.traits), readers, open[0]!.label);
    if (architecture.traits.tied && readers.has(HEAD)) await requireTied(readers);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async read(name) {
      const reader = readers.get(name)!;
      const { shape, data } = await reader.read(name);
      return { dims: shape, data: finiteNumbers(data, name, reader.label) };
    },
    close,
  };
}

/** A checkpoint may repeat a tied table; a head of its own would be another policy. */
async function requireTied(readers: ReadonlyMap<string, SafetensorsReader>): Promise<void> {
  const numbers = async (name: string) => (await readers.get(name)!.read(name)).data;
  const [head, embedding] = [await numbers(HEAD), await numbers(EMBEDDING)];
  if (head.length === embedding.length && head.every((value, i) => value === embedding[i])) return;
  throw checkpointError(
    readers.get(HEAD)!.label,
    'differs from the embedding, to which config.json says it is tied',
    HEAD,
    'set tie_word_embeddings to false in config.json, or leave the tensor out',
  );
}

/**
 * Loads every tensor of a checkpoint as fp32.
 * @throws ToolsampleError `checkpoint` when a tensor is missing, unknown, of the wrong shape or type, cut off, NaN or infinite
 */
export async function loadBaseWeights(
  files: CheckpointFiles,
  architecture: PolicyArchitecture,
): Promise<Map<string, WeightTensor>> {
  const open = await openBaseWeights(files, architecture);
  try {
    const weights = new Map<string, WeightTensor>();
    for (const { name } of tensorSpecs(architecture.traits)) {
      weights.set(name, await open.read(name));
    }
    return weights;
  } finally {
    await open.close();
  }
}

/** The data as fp32. @throws ToolsampleError `checkpoint` when a number is NaN or infinite, or the data are integers */
export function finiteNumbers(
  data: Float32Array | Int32Array,
  name: string,
  file: string,
): Float32Array {
  if (!(data instanceof Float32Array)) {
    throw checkpointError(file, 'holds integers where weights are expected', name);
  }
  const bad = firstNonFinite(data);
  if (bad >= 0) {
    throw checkpointError(
      file,
      `holds ${data[bad]} at element ${bad}`,
      name,
      'the training that made this checkpoint diverged, or the file is damaged',
    );
  }
  return data;
}

function checkShapes(
  expected: readonly TensorSpec[],
  readers: ReadonlyMap<string, SafetensorsReader>,
  mainFile: string,
): void {
  for (const { name, dims: shape } of expected) {
    const reader = readers.get(name);
    if (reader === undefined) {
      throw checkpointError(
        mainFile,
        'tensor is missing',
        name,
        'config.json says that the policy has it: is the checkpoint complete?',
      );
    }
    const actual = reader.header.entries.get(name)!.shape;
    if (actual.length !== shape.length || actual.some((size, axis) => size !== shape[axis])) {
      throw checkpointError(
        reader.label,
        `shape is [${actual.join(', ')}], config.json asks for [${shape.join(', ')}]`,
        name,
        'config.json and weights must come from the same checkpoint',
      );
    }
  }
  const known = new Set(expected.map((spec) => spec.name));
  for (const [name, reader] of readers) {
    if (known.has(name) || REDUNDANT.test(name)) continue;
    throw checkpointError(
      reader.label,
      'unknown tensor',
      name,
      "leaving it out would change what the policy computes; config.json's architecture has no such tensor",
    );
  }
}
