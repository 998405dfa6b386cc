// A thread's first file must be JavaScript: on Node 20 `--import tsx` does not reach worker threads.
import { register } from 'tsx/esm/api';

register({ tsconfig: false });
await import('./policy-thread.ts');
