import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { ArtifactStore } from '../../../contracts/artifacts.ts';
import type { PolicyRef } from '../../../contracts/policy.ts';
import { parseSafetensors, safetensorsBytes } from '../../../policy/checkpoint/safetensors.ts';

/** Of PEFT's names, before ours. */
const PREFIX = 'base_model.model.';
const BLOCK = 512;

/**
 * The adapters that a training service handed out, as our own engine takes them.
 *
 * @param folder - That the service's engine exported.
 */
export async function serviceAdapters(
  folder: string,
  base: PolicyRef,
  artifacts: ArtifactStore,
): Promise<PolicyRef> {
  const packed = gunzipSync(await readFile(join(folder, 'adapter.tar.gz')));
  const tensors = parseSafetensors(unpacked(packed, 'adapter_model.safetensors'), folder);
  const ours = [...tensors].map(([name, tensor]) => ({
    ...tensor,
    name: name.replace(PREFIX, ''),
  }));
  const weights = await artifacts.put(safetensorsBytes(ours));
  return { base: base.base, weights, optimizer: null };
}

/** A file of a tar archive: blocks of 512 bytes, name and octal size in each file's first. */
function unpacked(archive: Buffer, wanted: string): Uint8Array {
  for (let at = 0; at < archive.length;) {
    const text = (from: number, length: number): string =>
      archive.toString('latin1', at + from, at + from + length).replace(/\0.*$/s, '');
    const size = Number.parseInt(text(124, 12), 8) || 0;
    const begin = at + BLOCK;
    if (text(0, 100).endsWith(wanted)) return archive.subarray(begin, begin + size);
    at = begin + Math.ceil(size / BLOCK) * BLOCK;
  }
  throw new Error(`no ${wanted} in the archive`);
}
