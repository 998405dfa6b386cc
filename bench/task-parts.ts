import type { RunConfig } from '../contracts/config.ts';
import type { Peers } from './find-peers.ts';
import type { BenchModel } from './models.ts';

/** What tasks are made with. */
export interface TaskParts {
  readonly config: RunConfig;
  readonly peers: Peers;
  /** A folder for models, artifacts and the peers' files. */
  readonly scratch: string;
  /** A model as a HF folder. */
  readonly folderOf: (model: BenchModel) => Promise<string>;
}
