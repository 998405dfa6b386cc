import { LLAMA } from './llama.ts';
import type { ModelFamily } from './model-family.ts';
import { QWEN2 } from './qwen2.ts';
import { QWEN3 } from './qwen3.ts';

/** The families that can be trained. Another one is a file like theirs, a line here, and fixtures that prove it. */
export const KNOWN_FAMILIES: readonly ModelFamily[] = [LLAMA, QWEN2, QWEN3];
