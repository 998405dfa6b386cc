import { expect, test } from 'vitest';
import { operatorLine, parseEvent } from '../../bench/operator-profile.ts';

const event = (name: string, operator: string) =>
  `{"cat" : "Node","dur" :250,"ts" :1,"ph" : "X","name" :"${name}","args" : {"op_name" : "${operator}"}},`;

test('operators of a profile: kernels alone, and none that contains others', () => {
  expect(parseEvent(event('x_kernel_time', 'MatMul'))).toEqual({
    operator: 'MatMul',
    microseconds: 250,
  });
  expect(parseEvent(event('x_kernel_time', 'Loop'))).toBeNull();
  expect(parseEvent(event('x_fence_before', 'MatMul'))).toBeNull();
  expect(parseEvent('{"cat" : "Session","dur" :337,"name" :"model_run","args" : {}},')).toBeNull();
});

test('a profile in one line: largest first, the small ones together, and what is left of the time', () => {
  const events = [
    ...Array.from({ length: 3 }, () => ({ operator: 'Gemm', microseconds: 2000 })),
    ...'abcdefghi'.split('').map((operator) => ({ operator, microseconds: 100 })),
  ];
  const line = operatorLine(events, 10);
  expect(line).toMatch(/^operators: Gemm 60%, a 1%, .*, g 1%, 2 other kinds 2%, outside/);
  expect(line).toMatch(/outside of operators 31%$/);
});
