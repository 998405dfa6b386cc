// A thread's first file must be JavaScript: on Node 20 `--import tsx` does not reach worker threads.
import { importSource } from '../../bin/sources.js';

await importSource('policy/engine/policy-thread.ts');
