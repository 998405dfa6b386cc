import protobuf from 'protobufjs';
import { ToolsampleError } from '../contracts/errors.ts';
import type { GradientAnswer, SampleAnswer } from './answers.ts';
import type { Datum, LossChoice } from './training-data.ts';

/** The Tinker API's own protobuf, in which batches and their outcomes travel; everything else is JSON. */
export const PROTOBUF = 'application/x-protobuf';

/** The part of it that we use, with its field numbers. Tokens are little-endian int32, log-probabilities float32. */
const SCHEMA = `
syntax = "proto3";
message SampleResponse { repeated SampledSequence sequences = 1; }
message SampledSequence { int32 stop_reason = 1; bytes tokens = 2; bytes logprobs = 3; }
message Tensor { bytes dense = 1; int32 dtype = 3; repeated int64 shape = 4; }
message BatchedTensor { bytes data = 1; bytes offsets = 2; int32 dtype = 3; }
message ArrayRecord { map<string, BatchedTensor> fields = 2; int64 num_datums = 3; }
message ForwardBackwardOutput { repeated ArrayRecord loss_fn_outputs = 2; }
message ForwardBackwardRequest { string model_id = 1; int32 seq_id = 2; repeated Datum data = 3; string loss_fn = 4; map<string, double> loss_fn_config = 5; bool forward_only = 6; }
message Datum { repeated Chunk model_input = 1; map<string, Tensor> loss_fn_inputs = 2; }
message Chunk { EncodedTextChunk encoded_text = 1; }
message EncodedTextChunk { bytes tokens = 1; }
`;

const FLOAT32 = 1;
const INT64 = 2;
const STOP_REASONS = ['stop', 'length'] as const;

const { root } = protobuf.parse(SCHEMA, { keepCase: true });
const requestType = root.lookupType('ForwardBackwardRequest');
const sampleType = root.lookupType('SampleResponse');
const gradientType = root.lookupType('ForwardBackwardOutput');

export interface GradientCall {
  readonly modelId: string;
  readonly sequence: number;
  readonly data: readonly Datum[];
  readonly loss: LossChoice;
}

/** The body of `forward_backward` in protobuf. */
export function gradientCallBytes({ modelId, sequence, data, loss }: GradientCall): Uint8Array {
  return requestType
    .encode({
      model_id: modelId,
      seq_id: sequence,
      data: data.map(({ model_input: input, loss_fn_inputs: inputs }) => ({
        model_input: input.chunks.map(({ tokens }) => ({
          encoded_text: { tokens: bytesOf(Int32Array.from(tokens)) },
        })),
        loss_fn_inputs: {
          target_tokens: int64(inputs.target_tokens.data),
          weights: float32(inputs.weights.data),
          logprobs: float32(inputs.logprobs.data),
          advantages: float32(inputs.advantages.data),
        },
      })),
      loss_fn: loss.lossFn,
      loss_fn_config: { ...loss.lossFnConfig },
    })
    .finish();
}

/** The same in JSON, for services that are older than the protobuf. */
export function gradientCallJson({ modelId, sequence, data, loss }: GradientCall): object {
  const input = { data, loss_fn: loss.lossFn, loss_fn_config: loss.lossFnConfig };
  return { model_id: modelId, seq_id: sequence, forward_backward_input: input };
}

/** What a call's outcome in protobuf says, as its JSON would; to be checked like that. @throws ToolsampleError `service` */
export function decodeOutcome(call: string, bytes: Uint8Array): unknown {
  try {
    if (call === 'asample') return sampled(bytes);
    if (call === 'forward_backward') return gradients(bytes);
  } catch (cause) {
    throw notAgreed(call, cause);
  }
  throw notAgreed(call);
}

function sampled(bytes: Uint8Array): SampleAnswer {
  const { sequences } = sampleType.toObject(sampleType.decode(bytes), { defaults: true }) as {
    sequences: { stop_reason: number; tokens: Uint8Array; logprobs: Uint8Array }[];
  };
  return {
    sequences: sequences.map(({ stop_reason: reason, tokens, logprobs }) => ({
      tokens: [...int32s(tokens)],
      logprobs: [...float32s(logprobs)],
      stop_reason: STOP_REASONS[reason] ?? 'length',
    })),
  };
}

function gradients(bytes: Uint8Array): GradientAnswer {
  const { loss_fn_outputs: records } = gradientType.toObject(gradientType.decode(bytes), {
    defaults: true,
  }) as {
    loss_fn_outputs: {
      fields: { [name: string]: { data: Uint8Array; offsets: Uint8Array; dtype: number } };
    }[];
  };
  const outputs = records.flatMap(({ fields }) => {
    const tensor = fields['logprobs'];
    if (tensor?.dtype !== FLOAT32) throw new Error('no logprobs');
    const offsets = [...new BigInt64Array(aligned(tensor.offsets, 8))].map(Number);
    return offsets.slice(1).map((end, i) => {
      const begin = offsets[i] ?? 0;
      if (begin < 0 || end < begin || end > tensor.data.length) throw new Error('offsets');
      return { logprobs: { data: [...float32s(tensor.data.subarray(begin, end))] } };
    });
  });
  return { loss_fn_outputs: outputs };
}

function float32(values: readonly number[]): object {
  return { dense: bytesOf(Float32Array.from(values)), dtype: FLOAT32, shape: [values.length] };
}

function int64(values: readonly number[]): object {
  const dense = bytesOf(BigInt64Array.from(values, BigInt));
  return { dense, dtype: INT64, shape: [values.length] };
}

/** Little-endian, as every machine is that ONNX Runtime runs on. */
function bytesOf({ buffer }: Int32Array | Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(buffer);
}

function int32s(bytes: Uint8Array): Int32Array {
  return new Int32Array(aligned(bytes, 4));
}

function float32s(bytes: Uint8Array): Float32Array {
  return new Float32Array(aligned(bytes, 4));
}

/** A copy that begins where numbers may. @throws when it is no whole number of them */
function aligned(bytes: Uint8Array, size: number): ArrayBuffer {
  if (bytes.length % size !== 0) throw new Error('cut off');
  return Uint8Array.from(bytes).buffer;
}

function notAgreed(call: string, cause?: unknown): ToolsampleError {
  return new ToolsampleError(
    'service',
    `the training service answers ${call} in a form that was not agreed`,
    { hint: 'is tinker_base_url the address of a service with the Tinker API?', cause },
  );
}
