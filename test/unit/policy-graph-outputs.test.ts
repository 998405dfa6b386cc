import { describe, expect, it } from 'vitest';
import { createGraph, input, output } from '../../policy/graph/graph.ts';
import { add, mul } from '../../policy/graph/operations.ts';
import { floatData, floats, onCpu, openSession } from '../../policy/graph/session.ts';

describe('the outputs of a graph', () => {
  it('have their values also where one is looked at again, is two outputs, or is a feed', async () => {
    const graph = createGraph();
    const x = input(graph, 'x', 'float32', ['n']);
    const twice = mul(x, 2);
    output(twice, 'twice');
    output(twice, 'again');
    output(x, 'same');
    output(add(twice, 1), 'more');
    const session = await openSession(graph, onCpu(1));
    try {
      const names = ['twice', 'again', 'same', 'more'];
      const results = await session.run({ x: floats(Float32Array.of(3, 4), [2]) }, names);
      expect(names.map((name) => [...floatData(results, name)])).toEqual([
        [6, 8],
        [6, 8],
        [3, 4],
        [7, 9],
      ]);
    } finally {
      await session.release();
    }
  });

  it('may lie where their feeds are, also where one leads to another', async () => {
    const graph = createGraph();
    const [p, m] = [input(graph, 'p', 'float32', ['n']), input(graph, 'm', 'float32', ['n'])];
    const mean = mul(m, 0.5);
    output(mean, 'new_m');
    output(add(p, mean), 'new_p');
    const session = await openSession(graph, onCpu(1));
    try {
      const feeds = {
        p: floats(Float32Array.of(1, 2), [2]),
        m: floats(Float32Array.of(8, 6), [2]),
      };
      for (let i = 0; i < 2; i++) await session.run(feeds, { new_p: feeds.p, new_m: feeds.m });
      expect([...floatData(feeds, 'm')]).toEqual([2, 1.5]);
      expect([...floatData(feeds, 'p')]).toEqual([7, 6.5]);
    } finally {
      await session.release();
    }
  });
});
