import { ToolsampleError } from '../contracts/errors.ts';
import type { JsonValue } from '../contracts/json.ts';
import type { Sample, ToolCall } from '../contracts/sample.ts';
import { readCallList, shapeHasCalls } from './completion.ts';
import { MAX_NESTING } from './python-json.ts';
import { isDict } from './python-value.ts';
import type { PythonDict, PythonValue } from './python-value.ts';

/** The parts of a {@link Sample} that decide a reward. */
export type GroundTruth = Pick<Sample, 'shape' | 'groundTruth' | 'calls' | 'allowedValues'>;

/** A ground-truth call as Python sees it. */
export interface GroundTruthCall {
  readonly name: string;
  readonly parameters: PythonDict;
  /** The whole JSON object, fields besides name and parameters included. */
  readonly whole: PythonDict;
}

/**
 * The calls of a ground truth. Its text is read before its `calls`, because those have passed through JavaScript's
 * numbers (2^53 + 1 is lost there); `calls` serve where the text has no readable list.
 *
 * @throws ToolsampleError `dataset` when a value is nested deeper than {@link MAX_NESTING}.
 */
export function groundTruthCalls(sample: GroundTruth): readonly GroundTruthCall[] {
  if (!shapeHasCalls(sample.shape)) return [];
  const read = readCallList(sample.groundTruth)?.map(asCall);
  return read?.every((call) => call !== undefined) === true ? read : sample.calls.map(fromCall);
}

function asCall(value: PythonValue): GroundTruthCall | undefined {
  if (!isDict(value)) return undefined;
  const name = value.get('name');
  const parameters = value.get('parameters');
  if (typeof name !== 'string' || !isDict(parameters)) return undefined;
  return { name, parameters, whole: value };
}

function fromCall(call: ToolCall): GroundTruthCall {
  const parameters = fromJson(call.parameters) as PythonDict;
  return {
    name: call.name,
    parameters,
    whole: new Map<string, PythonValue>([
      ['name', call.name],
      ['parameters', parameters],
    ]),
  };
}

/**
 * A JSON value of a sample as Python would have read it; whole numbers become ints.
 *
 * @throws ToolsampleError `dataset` when nested deeper than {@link MAX_NESTING}.
 */
export function fromJson(value: JsonValue): PythonValue {
  return convert(value, 0);
}

function convert(value: JsonValue, depth: number): PythonValue {
  if (depth > MAX_NESTING) {
    throw new ToolsampleError(
      'dataset',
      `a ground-truth value is nested deeper than ${MAX_NESTING} levels`,
      { hint: 'remove the sample' },
    );
  }
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (value === null || typeof value !== 'object') return value;
  if (isJsonList(value)) return value.map((element) => convert(element, depth + 1));
  return new Map(Object.entries(value).map(([key, entry]) => [key, convert(entry, depth + 1)]));
}

/** `Array.isArray` does not narrow readonly arrays. */
function isJsonList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
