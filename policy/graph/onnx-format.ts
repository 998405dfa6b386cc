import protobuf from 'protobufjs';

/**
 * The part of the ONNX model format that we write, with the field numbers of onnx.proto.
 * proto2: a field that is set is written, zero included, which attributes need.
 */
const SCHEMA = `
syntax = "proto2";
message Model { optional int64 ir_version = 1; optional string producer_name = 2; optional Graph graph = 7; repeated OperatorSet opset_import = 8; }
message OperatorSet { optional string domain = 1; optional int64 version = 2; }
message Graph { repeated Node node = 1; optional string name = 2; repeated Tensor initializer = 5; repeated Value input = 11; repeated Value output = 12; }
message Node { repeated string input = 1; repeated string output = 2; optional string name = 3; optional string op_type = 4; repeated Attribute attribute = 5; optional string domain = 7; }
message Attribute { optional string name = 1; optional float f = 2; optional int64 i = 3; optional bytes s = 4; repeated int64 ints = 8; optional int32 type = 20; }
message Tensor { repeated int64 dims = 1; optional int32 data_type = 2; optional string name = 8; optional bytes raw_data = 9; repeated StringPair external_data = 13; optional int32 data_location = 14; }
message StringPair { optional string key = 1; optional string value = 2; }
message Value { optional string name = 1; optional Type type = 2; }
message Type { optional TensorType tensor_type = 1; }
message TensorType { optional int32 elem_type = 1; optional Shape shape = 2; }
message Shape { repeated Dim dim = 1; }
message Dim { optional int64 dim_value = 1; optional string dim_param = 2; }
`;

/** ONNX element types by number. */
const ELEMENT_TYPES = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
} as const;
export type ElementType = keyof typeof ELEMENT_TYPES;

/** A number, or a name for what is only known when the graph runs. */
export type Dimension = number | string;

export type AttributeValue = number | bigint | string | readonly number[];

export interface NodeRecord {
  readonly name: string;
  readonly domain: string;
  readonly opType: string;
  /** Empty string: an optional input left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** A `number` is a float attribute; integers are given as `bigint`; arrays are integers. */
  readonly attributes: { readonly [name: string]: AttributeValue };
}

interface ValueRecord {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly Dimension[];
}

export interface InitializerRecord {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  /** Null: the session is opened with the data, as a file in memory of the initializer's name. */
  readonly bytes: Uint8Array | null;
}

export interface ModelRecord {
  readonly nodes: readonly NodeRecord[];
  readonly inputs: readonly ValueRecord[];
  readonly outputs: readonly ValueRecord[];
  readonly initializers: readonly InitializerRecord[];
}

const IR_VERSION = 10;
const OPSET = 21;
const EXTERNAL = 1;
const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, ints: 7 } as const;

const modelType = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType('Model');

function attribute(name: string, value: AttributeValue): object {
  if (typeof value === 'number') return { name, f: value, type: ATTRIBUTE_TYPES.float };
  if (typeof value === 'bigint') return { name, i: Number(value), type: ATTRIBUTE_TYPES.int };
  if (typeof value === 'string')
    return { name, s: Buffer.from(value, 'utf8'), type: ATTRIBUTE_TYPES.string };
  return { name, ints: [...value], type: ATTRIBUTE_TYPES.ints };
}

function value(record: ValueRecord): object {
  const dim = record.shape.map((d) =>
    typeof d === 'number' ? { dim_value: d } : { dim_param: d },
  );
  return {
    name: record.name,
    type: { tensor_type: { elem_type: ELEMENT_TYPES[record.type], shape: { dim } } },
  };
}

function initializer(record: InitializerRecord): object {
  const { name, bytes } = record;
  const tensor = { name, dims: [...record.dims], data_type: ELEMENT_TYPES[record.type] };
  if (bytes !== null) return { ...tensor, raw_data: bytes };
  return {
    ...tensor,
    external_data: [{ key: 'location', value: name }],
    data_location: EXTERNAL,
  };
}

/** The bytes of an ONNX model: opset 21 and `com.microsoft` 1. At most 2 GB, so large weights are feeds or external. */
export function encodeModel(model: ModelRecord): Uint8Array {
  const message = {
    ir_version: IR_VERSION,
    producer_name: 'toolsample',
    opset_import: [
      { domain: '', version: OPSET },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: 'graph',
      node: model.nodes.map((node) => ({
        name: node.name,
        domain: node.domain,
        op_type: node.opType,
        input: [...node.inputs],
        output: [...node.outputs],
        attribute: Object.entries(node.attributes).map(([name, v]) => attribute(name, v)),
      })),
      input: model.inputs.map(value),
      output: model.outputs.map(value),
      initializer: model.initializers.map(initializer),
    },
  };
  return modelType.encode(message).finish();
}
