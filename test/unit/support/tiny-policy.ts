import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configJson, type PolicyArchitecture } from '../../../policy/checkpoint/architecture.ts';
import { writePolicyFolder } from '../../../policy/checkpoint/write-folder.ts';
import { initialWeights, type Weights } from '../../../policy/models/initial-weights.ts';

/** Two layers, grouped queries: everything that a real policy has, in 50,000 parameters. */
export const TINY: PolicyArchitecture = {
  modelType: 'llama',
  traits: {
    hidden: 32,
    layers: 2,
    heads: 4,
    kvHeads: 2,
    headDim: 8,
    ffn: 48,
    vocab: 264,
    ropeTheta: 10_000,
    rmsEps: 1e-5,
    tied: true,
  },
  contextLength: 96,
  eosIds: [257],
};

/** Ids 0–255 are bytes, then `<s>`, `</s>`, `<|user|>`. */
export const BOS = 256;
export const EOS = 257;

/** Byte-level tokenizer without merges. */
export function tinyTokenizer(): Record<string, unknown> {
  const vocab: Record<string, number> = {};
  let extra = 0;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    vocab[String.fromCodePoint(printable ? byte : 256 + extra++)] = byte;
  }
  const special = ['<s>', '</s>', '<|user|>'];
  const byteLevel = {
    type: 'ByteLevel',
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: true,
  };
  return {
    version: '1.0',
    added_tokens: special.map((content, i) => ({
      id: 256 + i,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: { type: 'BPE', vocab, merges: [] },
  };
}

const TINY_CHAT_TEMPLATE =
  "{{ bos_token }}{% for message in messages %}{{ '<|user|>' + message['content'] }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '>' }}{% endif %}";

/** Writes a whole HF folder with random weights, spread enough that greedy choices are not ties. */
export async function writeTinyPolicy(
  folder: string,
  architecture: PolicyArchitecture = TINY,
  seed = 1,
): Promise<Weights> {
  const parts = `${folder}.parts`;
  await mkdir(parts, { recursive: true });
  const companions: Record<string, string> = {
    // As published checkpoints, which are mostly bf16.
    'config.json': configJson(architecture).replace('float32', 'bfloat16'),
    'tokenizer.json': JSON.stringify(tinyTokenizer()),
    'tokenizer_config.json': JSON.stringify({
      bos_token: '<s>',
      eos_token: { content: '</s>' },
      chat_template: TINY_CHAT_TEMPLATE,
    }),
  };
  const paths: Record<string, string> = {};
  for (const [name, text] of Object.entries(companions)) {
    paths[name] = join(parts, name);
    await writeFile(paths[name], text);
  }
  const weights = initialWeights(architecture.traits, seed);
  for (const [name, { data }] of weights) {
    const scale = name.endsWith('embed_tokens.weight')
      ? 20
      : /o_proj|down_proj/.test(name)
        ? 40
        : 1;
    for (let i = 0; i < data.length; i++) data[i]! *= scale;
  }
  await writePolicyFolder(folder, { paths }, architecture.traits, weights);
  return weights;
}
