import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactReader, ArtifactRef } from '../../contracts/artifacts.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { jsonExtent } from '../../contracts/json-extent.ts';
import type { BaseManifest } from '../../contracts/policy.ts';
import { inBrief } from './in-brief.ts';

/** The files of a checkpoint by their names in a HF folder, wherever their bytes lie. Plain data: may cross threads. */
export interface CheckpointFiles {
  readonly paths: { readonly [name: string]: string };
}

/**
 * Files that belong to a policy besides its weights; everything else in a folder is left alone. The last ones are not read
 * here: other readers of the folder may want them.
 */
export const COMPANION_FILES = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'chat_template.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'tokenizer.model',
] as const;

export const SINGLE_WEIGHTS = 'model.safetensors';
export const SHARD_INDEX = 'model.safetensors.index.json';
const WEIGHT_FILE = /^model(-\d{5}-of-\d{5})?\.safetensors$/;

const MAX_TEXT_BYTES = 128 * 1024 * 1024;

/** The largest vocabularies have two million values, four levels deep. Read, eight million take half a GB. */
const MAX_JSON = { depth: 100, values: 8_000_000 } as const;

/**
 * The policy files of a HF folder.
 * @param need `text`: the weights may be missing.
 * @throws ToolsampleError `not-found` without such a folder, `checkpoint` when a necessary file is missing
 */
export async function folderFiles(
  folder: string,
  need: 'policy' | 'text' = 'policy',
): Promise<CheckpointFiles> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new ToolsampleError('not-found', 'no such folder', {
      at: { file: folder },
      hint: 'give the path of a Hugging Face model folder',
      cause,
    });
  });
  const wanted = names
    .filter((name) => isCompanion(name) || name === SHARD_INDEX || WEIGHT_FILE.test(name))
    .sort();
  for (const name of wanted) {
    // A pipe or a device would be read for ever.
    const status = await stat(join(folder, name)).catch(() => null);
    if (status?.isFile() === true) continue;
    throw new ToolsampleError('checkpoint', 'is not a file that can be read', {
      at: { file: join(folder, name) },
      hint: 'a link may point to a file that is gone: fetch the policy again',
    });
  }
  const files = { paths: Object.fromEntries(wanted.map((name) => [name, join(folder, name)])) };
  for (const name of ['config.json', 'tokenizer.json', SINGLE_WEIGHTS]) {
    if (need === 'text' && name === SINGLE_WEIGHTS) continue;
    const present =
      wanted.includes(name) || (name === SINGLE_WEIGHTS && wanted.includes(SHARD_INDEX));
    if (present) continue;
    throw new ToolsampleError('checkpoint', 'file is missing', {
      at: { file: join(folder, name) },
      hint: `a ${need === 'text' ? 'tokenizer' : 'policy'} folder has config.json, ${need === 'text' ? '' : 'model.safetensors, '}tokenizer.json and usually tokenizer_config.json`,
    });
  }
  return files;
}

/**
 * The files behind a base manifest, verified by the store.
 * @throws ToolsampleError `not-found` or `corrupt-artifact` from the store
 */
export async function manifestFiles(
  base: ArtifactRef,
  artifacts: ArtifactReader,
): Promise<CheckpointFiles> {
  const paths: Record<string, string> = {};
  for (const [name, ref] of Object.entries((await readManifest(base, artifacts)).files)) {
    paths[name] = await artifacts.path(ref);
  }
  return { paths };
}

/** What a base policy consists of. @throws ToolsampleError `not-found` or `corrupt-artifact` from the store */
export async function readManifest(
  base: ArtifactRef,
  artifacts: Pick<ArtifactReader, 'get'>,
): Promise<BaseManifest> {
  return JSON.parse(new TextDecoder().decode(await artifacts.get(base))) as BaseManifest;
}

/** Whether a file name is one of {@link COMPANION_FILES}. */
export function isCompanion(name: string): boolean {
  return COMPANION_FILES.some((known) => known === name);
}

/**
 * Reads a text file of a checkpoint; undefined when the checkpoint has none of that name.
 * @throws ToolsampleError `checkpoint` when unreadable or absurdly large
 */
export async function readText(files: CheckpointFiles, name: string): Promise<string | undefined> {
  const path = files.paths[name];
  if (path === undefined) return undefined;
  try {
    const { size } = await stat(path);
    if (size <= MAX_TEXT_BYTES) return await readFile(path, 'utf8');
  } catch (cause) {
    throw new ToolsampleError('checkpoint', 'cannot be read', { at: { file: path }, cause });
  }
  throw new ToolsampleError('checkpoint', `larger than ${MAX_TEXT_BYTES} bytes`, {
    at: { file: path },
  });
}

/** A JSON object among a checkpoint's files; empty when the file is absent. @throws ToolsampleError `code` when malformed */
export async function readJsonObject(
  files: CheckpointFiles,
  name: string,
  code: 'checkpoint' | 'tokenizer',
): Promise<Record<string, unknown>> {
  const text = await readText(files, name);
  return text === undefined ? {} : parseJsonObject(text, name, code);
}

/** A JSON object of a size that can be walked through. @throws ToolsampleError `code` */
export function parseJsonObject(
  text: string,
  file: string,
  code: 'checkpoint' | 'tokenizer',
): Record<string, unknown> {
  const { depth, values } = jsonExtent(text);
  if (depth > MAX_JSON.depth || values > MAX_JSON.values) {
    const { depth: levels, values: most } = MAX_JSON;
    const problem = `holds more than ${most} values or nests deeper than ${levels} levels`;
    throw new ToolsampleError(code, problem, { at: { file } });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new ToolsampleError(code, 'is not valid JSON', { at: { file }, cause });
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
    return parsed as Record<string, unknown>;
  }
  throw new ToolsampleError(code, 'is not a JSON object', { at: { file } });
}

/** The safetensors files of a checkpoint, in the order of their names. @throws ToolsampleError `checkpoint` */
export async function weightFiles(files: CheckpointFiles): Promise<string[]> {
  if (files.paths[SINGLE_WEIGHTS] !== undefined) return [SINGLE_WEIGHTS];
  const { weight_map: map } = await readJsonObject(files, SHARD_INDEX, 'checkpoint');
  const listed: unknown[] = Object.values(typeof map === 'object' && map !== null ? map : {});
  const names: string[] = [];
  for (const name of new Set(listed)) {
    // A name with a path in it could lead out of the folder.
    if (typeof name === 'string' && WEIGHT_FILE.test(name) && Object.hasOwn(files.paths, name)) {
      names.push(name);
      continue;
    }
    throw new ToolsampleError('checkpoint', `names a file that is not there: ${inBrief(name)}`, {
      at: { file: SHARD_INDEX },
    });
  }
  names.sort();
  if (names.length === 0) {
    throw new ToolsampleError('checkpoint', 'no weights found', { at: { file: SHARD_INDEX } });
  }
  return names;
}
