import {
  CancellationScope,
  condition,
  currentUpdateInfo,
  defineSignal,
  defineUpdate,
  patched,
  setHandler,
  uuid4,
} from '@temporalio/workflow';
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import type { RequestKey } from '../contracts/activities.ts';
import type { JsonValue } from '../contracts/json.ts';
import {
  LONGEST_NAME,
  type AcceptedRequest,
  type Asked,
  type RunRequest,
  type SetAsked,
  type StopAsked,
} from '../contracts/requests.ts';
import { RUN_SIGNALS } from '../contracts/temporal.ts';
import { lightActivities } from './activity-options.ts';
import { checkAsked, checkSettings, isObject, refuse } from './request-checks.ts';
import { runControl, type ControlState, type Describe, type RunControl } from './run-control.ts';

/** What the run does for those who ask something of it. */
export interface RunDesk {
  readonly run: string;
  /** Answers the query `progress`, all but what was asked for. */
  readonly describe: Describe;
  /** Postgres knows the run. */
  isKnown(): boolean;
  /** `ending`: no step is left. `over`: nothing will be done any more. */
  life(): 'under-way' | 'ending' | 'over';
  /** Tells the child that runs at the moment, if any. */
  forward(state: ControlState): Promise<void>;
  /** Cuts off all work. */
  cancel(): void;
  /** Called after each change, the first ones before {@link listenForRequests} returns; must not schedule anything. */
  onChange(state: ControlState): void;
}

type SimpleRequest = Exclude<RunRequest, 'set'>;

/**
 * The run's side: answers the updates and signals that steer it, and the query `progress`. A request is refused, or it changes the
 * state at once and is recorded; its effect comes at the next boundary.
 *
 * @param initial - The state handed over by the execution that continued as new.
 * @param evaluated - Evaluations asked for before, and done.
 */
export function listenForRequests(
  initial: ControlState,
  evaluated: number,
  desk: RunDesk,
): RunControl {
  let state = initial;
  let cancelling = false;
  const change = async (part: Partial<ControlState>): Promise<void> => {
    state = { ...state, ...part, revision: state.revision + 1 };
    desk.onChange(state);
    await desk.forward(state);
  };
  const records = oneAfterAnother<AcceptedRequest>();
  /** Changes the state and records it. */
  const act = async (
    kind: SimpleRequest,
    key: RequestKey,
    part: Partial<ControlState>,
  ): Promise<AcceptedRequest> => {
    const from = nameOf(state);
    // Now: once the state has changed, the next request may change it again.
    const to = kind === 'evaluate' ? 'evaluated' : nameOf({ ...state, ...part });
    if (!patched(IN_TURN)) {
      await change(part);
      return record(desk, kind, key, from, to);
    }
    const recorded = records(async () => record(desk, kind, key, from, to));
    const [accepted] = await Promise.all([recorded, change(part)]);
    return accepted;
  };
  const signalled = async (
    kind: 'pause' | 'continue' | 'stop',
    asked: unknown,
    part: Partial<ControlState>,
  ): Promise<void> => {
    // Executions that an older version began must not find activities here that it did not schedule.
    if (!patched('signals-are-recorded')) return change(part);
    const fields = isObject(asked) ? asked : {};
    const { by } = fields;
    const next = kind === 'stop' ? { ...part, exporting: exports(fields['export']) } : part;
    if (nameOf(state) === nameOf({ ...state, ...next })) return change(next);
    const name = typeof by === 'string' && by !== '' ? by.slice(0, LONGEST_NAME) : UNKNOWN;
    // Nobody waits for an answer: what cannot be recorded is done all the same.
    await act(kind, { run: desk.run, request: uuid4(), by: name, via: 'signal' }, next).catch(
      () => undefined,
    );
  };
  /** A stop that leaves the policy behind does so whatever is asked after it. */
  const exports = (wanted: unknown): boolean =>
    wanted !== false || (state.stopping && state.exporting === true);

  setHandler(defineSignal<[unknown?]>(RUN_SIGNALS.pause), async (asked) =>
    signalled('pause', asked, { paused: true }),
  );
  // Also takes back a stop that was asked for, but has not happened yet.
  setHandler(defineSignal<[unknown?]>(RUN_SIGNALS.continue), async (asked) =>
    signalled('continue', asked, { paused: false, stopping: false }),
  );
  setHandler(defineSignal<[unknown?]>(RUN_SIGNALS.stop), async (asked) =>
    signalled('stop', asked, { stopping: true }),
  );

  const mustGoOn = (): void => {
    const life = desk.life();
    if (life === 'over' || cancelling) refuse(desk.run, 'is over');
    if (life === 'ending') refuse(desk.run, 'has no step left: it exports its policy and ends');
  };
  const onUpdate = <A extends Asked>(
    name: RunRequest,
    validator: (asked: A | undefined) => void,
    handler: (key: RequestKey, asked: A | undefined) => Promise<AcceptedRequest>,
  ): void => {
    setHandler(
      defineUpdate<AcceptedRequest, [A | undefined]>(name),
      async (asked) => handler(updateKey(desk.run, asked), asked),
      {
        validator: (asked) => {
          checkAsked(asked);
          validator(asked);
        },
      },
    );
  };
  onUpdate('pause', mayPause, async (key) => act('pause', key, { paused: true }));
  onUpdate('continue', mayContinue, async (key) =>
    act('continue', key, { paused: false, stopping: false }),
  );
  onUpdate<StopAsked>('stop', mayStop, async (key, asked) =>
    act('stop', key, { stopping: true, exporting: exports(asked?.export) }),
  );
  onUpdate('evaluate', mustGoOn, async (key) =>
    act('evaluate', key, { evaluations: (state.evaluations ?? 0) + 1 }),
  );
  onUpdate('cancel', mayCancel, async (key) => {
    const from = nameOf(state);
    cancelling = true;
    desk.cancel();
    return patched(IN_TURN)
      ? records(async () => record(desk, 'cancel', key, from, 'stopped'))
      : record(desk, 'cancel', key, from, 'stopped');
  });
  onUpdate<SetAsked>(
    'set',
    (asked) => {
      checkSettings(asked);
      mustGoOn();
    },
    async (key, asked) => changeSettings(desk, key, asked?.settings ?? {}),
  );

  function mayPause(): void {
    mustGoOn();
    if (state.stopping) refuse(desk.run, 'is stopping already');
    if (state.paused) refuse(desk.run, 'is paused already, or will be after the work under way');
  }
  function mayContinue(): void {
    mustGoOn();
    if (!state.paused && !state.stopping) refuse(desk.run, 'is not paused');
  }
  function mayStop(): void {
    mustGoOn();
    if (state.stopping) refuse(desk.run, 'is stopping already');
  }
  function mayCancel(): void {
    if (desk.life() === 'over' || cancelling) refuse(desk.run, 'is over');
  }
  return runControl(() => state, evaluated, desk.describe);
}

const UNKNOWN = 'unknown';

/** Executions that an older version began recorded requests side by side: of two, chance made one the last. */
const IN_TURN = 'requests-are-recorded-in-turn';

/** Begins each piece of work when those before it have ended, well or not. */
function oneAfterAnother<Result>(): (work: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return async (work) => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
}

function nameOf({ stopping, paused }: ControlState): string {
  return stopping ? 'stopping' : paused ? 'paused' : 'running';
}

function updateKey(run: string, asked: Asked | undefined): RequestKey {
  const request = currentUpdateInfo()?.id ?? uuid4();
  return { run, request, by: asked?.by ?? UNKNOWN, via: 'update' };
}

/** Waits until Postgres knows the run; false when it never will. */
async function isKnown(desk: RunDesk): Promise<boolean> {
  await condition(() => desk.isKnown() || desk.life() === 'over');
  return desk.isKnown();
}

async function record(
  desk: RunDesk,
  kind: SimpleRequest,
  key: RequestKey,
  from: JsonValue,
  to: JsonValue,
): Promise<AcceptedRequest> {
  const summary = `record: ${kind} asked for`;
  // Also when the request was to cut everything off.
  const { step } = await CancellationScope.nonCancellable(async () =>
    (await isKnown(desk))
      ? lightActivities().recordRequest.executeWithOptions({ summary }, [
          { ...key, kind, from, to },
        ])
      : { step: 0 },
  );
  return { run: desk.run, request: kind, by: key.by, step, changes: [] };
}

/** Only the worker knows all settings, their ranges and the run's configuration: it decides. */
async function changeSettings(
  desk: RunDesk,
  key: RequestKey,
  settings: SetAsked['settings'],
): Promise<AcceptedRequest> {
  if (!(await isKnown(desk))) refuse(desk.run, 'is over');
  try {
    const changed = await lightActivities().changeSettings.executeWithOptions(
      { summary: 'change settings' },
      [{ ...key, settings }],
    );
    return { run: desk.run, request: 'set', by: key.by, ...changed };
  } catch (error) {
    const cause = error instanceof ActivityFailure ? error.cause : undefined;
    if (!(cause instanceof ApplicationFailure)) throw error;
    throw ApplicationFailure.nonRetryable(cause.message, cause.type);
  }
}
