import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InferenceSession } from 'onnxruntime-node';
import type { Session } from './session.ts';

/** How many nodes of a graph ran, as ONNX Runtime had optimised it, and how many of them on the CPU instead of the device. */
export interface Placement {
  readonly nodes: number;
  readonly onCpu: number;
}

/** Where to write a profile. */
type ProfileOptions = Pick<
  InferenceSession.SessionOptions,
  'enableProfiling' | 'profileFilePrefix'
>;

/**
 * A session that is profiled until its first run is over: ONNX Runtime tells nowhere else which provider a node went to.
 * @param open opens the session with these options besides its own.
 */
export async function profiledFirstRun(
  open: (profile: ProfileOptions) => Promise<InferenceSession>,
  placed: (placement: Placement) => void,
): Promise<Session> {
  const folder = await mkdtemp(join(tmpdir(), 'toolsample-profile-'));
  const remove = async (): Promise<void> => rm(folder, { recursive: true, force: true });
  let session: InferenceSession;
  try {
    session = await open({ enableProfiling: true, profileFilePrefix: join(folder, 'run') });
  } catch (error) {
    await remove();
    throw error;
  }
  let profiling = true;
  const endProfile = async (report: boolean): Promise<void> => {
    profiling = false;
    session.endProfiling();
    try {
      const [file = ''] = report ? await readdir(folder) : [];
      if (report) placed(readPlacement(await readFile(join(folder, file), 'utf8')));
    } finally {
      await remove();
    }
  };
  const firstRun: Session['run'] = async (feeds, fetches) => {
    let done = false;
    try {
      const results = await session.run(feeds, fetches);
      done = true;
      return results;
    } finally {
      await endProfile(done);
    }
  };
  return {
    run: (feeds, fetches) => (profiling ? firstRun(feeds, fetches) : session.run(feeds, fetches)),
    release: async () => {
      if (profiling) await endProfile(false);
      await session.release();
    },
  };
}

/** One event of ONNX Runtime's profile, as far as it tells of nodes. */
interface ProfileEvent {
  readonly cat?: string;
  readonly name?: string;
  readonly args?: { readonly provider?: string };
}

function readPlacement(profile: string): Placement {
  const runs = (JSON.parse(profile) as readonly ProfileEvent[]).filter(
    ({ cat, name }) => cat === 'Node' && name?.endsWith('_kernel_time') === true,
  );
  const onCpu = runs.filter(({ args }) => args?.provider === 'CPUExecutionProvider').length;
  return { nodes: runs.length, onCpu };
}
