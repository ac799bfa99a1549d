import { parse as parseDot } from '@ts-graphviz/ast'
import fc from 'fast-check'
import { SaxesParser } from 'saxes'
import { describe, expect, it } from 'vitest'
import { toDot } from '../src/blueprint/graph-dot.ts'
import { toMermaid } from '../src/blueprint/graph-mermaid.ts'
import { toSvg } from '../src/blueprint/graph-svg.ts'
import {
  blueprintGraph,
  drawnEdges,
  type BlueprintGraph,
  type GraphSource,
  type GraphState,
} from '../src/blueprint/graph.ts'
import { scanHandler } from '../src/blueprint/scan.ts'

/** A handler whose body is one action, and the condition it has, if any. */
function source(action: string, condition?: string | null): GraphSource {
  const scan = scanHandler(`({ actions, x }) => actions.${action}`)
  return { scan, condition: condition ?? null, isConditional: condition !== undefined }
}

function aState(name: string, given: Partial<GraphState> = {}): GraphState {
  return { name, start: false, end: null, isAggregator: false, sources: [], to: [], ...given }
}

/** Has everything that looks different. */
const ORDER = blueprintGraph([
  aState('received', {
    start: true,
    sources: [source("dispatchTask({ transitions: { success: 'decide', failure: 'failed' } })")],
  }),
  aState('decide', {
    sources: [
      source("goTo('collect')"),
      source("goTo('ship')", "context.initial_data.type == 'urgent'"),
      source("dispatchTask({ transitions: { success: 'ship' } })", null),
    ],
  }),
  aState('collect', { sources: [source("dispatchParallel({ aggregateInto: 'ship' })")] }),
  aState('ship', {
    isAggregator: true,
    sources: [
      source("dispatchTask({ transitions: { busy: 'ship', success: 'done', partial: 'done' } })"),
    ],
    to: ['done', 'archive'],
  }),
  aState('done', { end: 'finished' }),
  aState('failed', { end: 'failed' }),
])

const HARD_NAMES = [
  'a "quoted" name',
  `it's <b>bold</b> & more`,
  ']]> --> ]]>',
  'ends with a backslash \\',
  String.raw`\N \G \l \"`,
  'two\nlines\r\nand\ta tab',
  'a line\u2028separator',
  'nothing \u{0} to \u{1b} see \u{7f}\u{9f}',
  'half a \ud83d pair',
  '状態を確認する 🙂 👩‍👩‍👧',
  '&lt;tag&gt; &#34; #quot; %% subgraph end',
  'end',
  'graph',
  '__proto__',
  'constructor',
  ' ',
  '1. * `list` _under_ ~~gone~~ $x$ fa:fa-car',
  'a_very_long_name_that_goes_on_'.repeat(400),
]

function aGraphOf(names: readonly string[]): BlueprintGraph {
  return blueprintGraph(
    names.map((name, index) => {
      const label = JSON.stringify(name)
      const next = JSON.stringify(names[(index + 1) % names.length])
      return aState(name, {
        start: index === 0,
        sources: [
          source(`dispatchTask({ transitions: { [${label}]: ${next}, ${label}: ${label} } })`),
          source(`goTo(${next})`, name),
        ],
      })
    }),
  )
}

interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  text: string
}

/** All elements of a document. @throws when it is not well-formed. */
function elementsOf(xml: string): readonly Element[] {
  const elements: Element[] = []
  const open: Element[] = []
  const parser = new SaxesParser()
  parser.on('opentag', ({ name, attributes }) => {
    const element = { name, attributes, text: '' }
    elements.push(element)
    open.push(element)
  })
  parser.on('text', (text) => {
    const element = open.at(-1)
    if (element !== undefined) element.text += text
  })
  parser.on('closetag', () => open.pop())
  parser.on('error', (error) => {
    throw error
  })
  parser.write(xml).close()
  return elements
}

/** Ids of nodes and ends of edges, as a parser of DOT reads them. */
function readDot(dot: string): { nodes: readonly string[]; edges: readonly (readonly string[])[] } {
  const [graph] = parseDot(dot).children.filter((child) => child.type === 'Graph')
  const statements = graph?.children ?? []
  return {
    nodes: statements.flatMap((each) => (each.type === 'Node' ? [each.id.value] : [])),
    edges: statements.flatMap((each) =>
      each.type === 'Edge'
        ? [each.targets.flatMap((end) => (end.type === 'NodeRef' ? [end.id.value] : []))]
        : [],
    ),
  }
}

/** The labels of a flowchart. @throws when a line is none of those that we write. */
function readMermaid(text: string): { nodes: readonly string[]; edges: readonly string[] } {
  const [head, title, ...lines] = text.trimEnd().split('\n')
  expect(head).toBe('flowchart TD')
  expect(title).toMatch(/^ {2}accTitle: [^\n]+$/)
  const label = /(?:[^"#<>`*\\]|#\d+;|<br\/>)+/.source
  const node = new RegExp(
    `^ {2}s\\d+(?:\\("(${label})"\\)|\\(\\["(${label})"\\]\\)):::\\w+State$`,
    'u',
  )
  const edge = new RegExp(`^ {2}s\\d+ -(?:-|\\.-)>(?:\\|"(${label})"\\|)? s\\d+$`, 'u')
  const style =
    /^ {2}classDef \w+State fill:#\w{6},stroke:#\w{6},color:#\w{6},stroke-width:[\d.]+px$/
  const result = { nodes: [] as string[], edges: [] as string[] }
  for (const line of lines) {
    const [asNode, asEdge] = [node.exec(line), edge.exec(line)]
    if (asNode !== null) result.nodes.push(asNode[1] ?? asNode[2] ?? '')
    else if (asEdge !== null) result.edges.push(asEdge[1] ?? '')
    else expect(line).toMatch(style)
  }
  return result
}

describe('the graph of a blueprint', () => {
  it('has its states in order, then those that are only referred to', () => {
    expect(ORDER.nodes.map(({ name }) => name)).toEqual([
      ...['received', 'decide', 'collect', 'ship', 'done', 'failed', 'archive'],
    ])
    expect(ORDER.nodes.at(-1)).toEqual({
      ...{ name: 'archive', start: false, end: null, isAggregator: false },
    })
  })

  it('says of every edge what leads along it, and on which condition', () => {
    const plain = { isConditional: false, condition: null, isDeclared: false }
    expect(ORDER.edges.filter(({ from }) => from === 'received')).toEqual([
      { from: 'received', to: 'decide', label: 'success', kind: 'task', ...plain },
      { from: 'received', to: 'failed', label: 'failure', kind: 'task', ...plain },
    ])
    expect(ORDER.edges.filter(({ from }) => from === 'decide')).toEqual([
      { from: 'decide', to: 'collect', label: null, kind: 'transition', ...plain },
      {
        ...{ from: 'decide', to: 'ship', label: null, kind: 'transition', isDeclared: false },
        ...{ isConditional: true, condition: "context.initial_data.type == 'urgent'" },
      },
      {
        ...{ from: 'decide', to: 'ship', label: 'success', kind: 'task', isDeclared: false },
        ...{ isConditional: true, condition: null },
      },
    ])
  })

  it('has declared targets only where the scan saw none', () => {
    const declared = ORDER.edges.filter(({ isDeclared }) => isDeclared)
    expect(declared).toEqual([
      {
        ...{ from: 'ship', to: 'archive', label: null, kind: 'transition', isDeclared: true },
        ...{ isConditional: false, condition: null },
      },
    ])
  })

  it('is drawn with one line for all that leads the same way, and one for the conditions', () => {
    const drawn = drawnEdges(ORDER).map(({ from, to, isConditional, lines }) =>
      [from, isConditional ? '-->?' : '-->', to, ...lines].join(' '),
    )
    expect(drawn).toEqual([
      'received --> decide success',
      'received --> failed failure',
      'decide --> collect',
      "decide -->? ship [context.initial_data.type == 'urgent'] [function] success",
      'collect --> ship all branches',
      'ship --> ship busy',
      'ship --> done success, partial',
      'ship --> archive',
    ])
  })

  it('says so where a state goes on directly as well as by a status', () => {
    const [edge] = drawnEdges(
      blueprintGraph([
        aState('a', {
          sources: [source("goTo('b')"), source("dispatchTask({ transitions: { ok: 'b' } })")],
        }),
      ]),
    )
    expect(edge?.lines).toEqual(['directly, ok'])
  })
})

describe('a graph as DOT', () => {
  it('is read back by a parser of DOT, with names as they are', () => {
    const dot = toDot(ORDER, { name: 'order' })
    const { nodes, edges } = readDot(dot)
    expect(dot).toMatch(/^\/\/ State Machine for order\ndigraph "order" \{\n/)
    expect(nodes).toEqual(ORDER.nodes.map(({ name }) => name))
    expect(edges).toEqual(drawnEdges(ORDER).map(({ from, to }) => [from, to]))
  })

  it.each([
    ['a start state', /^ {2}"received" \[label="received\\nstart", .*penwidth=2\]$/m],
    ['an aggregator', /^ {2}"ship" \[label="ship\\naggregator", /m],
    ['an end', /^ {2}"done" \[label="done\\nend: finished", .*peripheries=2\]$/m],
    ['a failed end in another colour', /^ {2}"failed" \[.*fillcolor="#fee2e2".*peripheries=2\]$/m],
    ['where a job is', /^ {2}"collect" \[label="collect\\ncurrent", fillcolor="#fcd34d"/m],
    ['what leads along an edge', /^ {2}"ship" -> "done" \[label="success, partial"\]$/m],
    [
      'an edge on a condition, dashed',
      /^ {2}"decide" -> "ship" \[label="\[context\.initial_data\.type == 'urgent'\]\\n\[function\] success", style=dashed\]$/m,
    ],
  ])('shows %s', (_what, line) => {
    expect(toDot(ORDER, { name: 'order', highlight: 'collect' })).toMatch(line)
  })

  it.each(HARD_NAMES)('writes a name such as %j', (name) => {
    const { nodes, edges } = readDot(toDot(aGraphOf([name, 'other']), { name, highlight: name }))
    expect(nodes).toHaveLength(2)
    expect(nodes[1]).toBe('other')
    expect(edges.every((ends) => ends.every((end) => nodes.includes(end)))).toBe(true)
  })

  it('keeps names apart that differ only in what cannot be written', () => {
    const names = ['a\u{0}', 'a\u{1}', String.raw`a\u0000`, 'a\ud800', 'a\udfff', 'a', 'a\u{fffd}']
    const { nodes } = readDot(toDot(aGraphOf(names), { name: 'x' }))
    expect(new Set(nodes).size).toBe(names.length)
  })
})

describe('a graph as a Mermaid flowchart', () => {
  it('shows states, their ends and where a job is', () => {
    const { nodes, edges } = readMermaid(toMermaid(ORDER, { name: 'order', highlight: 'collect' }))
    expect(nodes).toEqual([
      ...['received<br/>start', 'decide', 'collect<br/>current', 'ship<br/>aggregator'],
      ...['done<br/>end: finished', 'failed<br/>end: failed', 'archive'],
    ])
    expect(edges).toContain('success, partial')
  })

  it('draws an edge on a condition as a dotted one', () => {
    expect(toMermaid(ORDER, { name: 'order' })).toContain(
      `s1 -.->|"[context.initial_data.type == 'urgent']<br/>[function] success"| s3\n`,
    )
  })

  it.each(HARD_NAMES)('writes a name such as %j', (name) => {
    const graph = aGraphOf([name, 'other'])
    expect(readMermaid(toMermaid(graph, { name, highlight: name })).nodes).toHaveLength(2)
  })

  it('leaves nothing of a name that Mermaid could take for syntax, an icon or Markdown', () => {
    const [name = ''] = HARD_NAMES.filter((each) => each.startsWith('1. '))
    const [label] = readMermaid(toMermaid(aGraphOf([name]), { name: 'x' })).nodes
    expect(label).toBe(
      '1#46; #42; #96;list#96; #95;under#95; #126;#126;gone#126;#126; #36;x#36; fa#58;fa-car<br/>start',
    )
  })
})

describe('a graph as SVG', () => {
  const svgOf = (graph: BlueprintGraph, highlight?: string): readonly Element[] =>
    elementsOf(toSvg(graph, { name: 'order', highlight }))
  const textsOf = (elements: readonly Element[]): readonly string[] =>
    elements.filter(({ name }) => name === 'text').map(({ text }) => text)

  it('is a picture with a title and a description for those who do not see it', () => {
    const [svg, title, description] = svgOf(ORDER, 'collect')
    expect(svg).toMatchObject({ name: 'svg', attributes: { role: 'img' } })
    expect(title).toMatchObject({ name: 'title', text: 'State machine of order' })
    expect(description).toMatchObject({
      name: 'desc',
      text:
        "7 states, 10 ways between them. It starts in 'received'. " +
        "It ends in 'done' (finished), 'failed' (failed). The job is in 'collect'.",
    })
  })

  it('writes every state, what it is, and what leads along each edge', () => {
    const texts = textsOf(svgOf(ORDER))
    for (const { name } of ORDER.nodes) expect(texts).toContain(name)
    expect(texts).toEqual(
      expect.arrayContaining(['start', 'aggregator', 'end: finished', 'success, partial', 'busy']),
    )
  })

  it('has an arrow per edge, dashed for those on a condition, and one into the start', () => {
    const elements = svgOf(ORDER)
    const [marker] = elements.filter(({ name }) => name === 'marker')
    const arrows = elements.filter(({ attributes }) => attributes['marker-end'] !== undefined)
    expect(arrows).toHaveLength(drawnEdges(ORDER).length + 1)
    for (const { attributes } of arrows) {
      expect(attributes['marker-end']).toBe(`url(#${marker?.attributes['id'] ?? ''})`)
      expect(attributes['d']).toMatch(/^M-?[\d.]+,-?[\d.]+([LC ](-?[\d.]+,-?[\d.]+))+/)
    }
    expect(arrows.filter((each) => each.attributes['stroke-dasharray'] !== undefined)).toHaveLength(
      1,
    )
  })

  it('fills the state where the job is, and leaves everything where it was', () => {
    const [without, current] = [svgOf(ORDER), svgOf(ORDER, 'done')]
    const fills = (elements: readonly Element[]): readonly (string | undefined)[] =>
      elements.filter(({ name }) => name === 'rect').map(({ attributes }) => attributes['fill'])
    expect(fills(without)).not.toContain('#fcd34d')
    expect(fills(current)).toContain('#fcd34d')
    const places = (elements: readonly Element[]): readonly string[] =>
      elements.filter(({ name }) => name === 'text').map(({ attributes: { x, y } }) => `${x},${y}`)
    expect(places(current)).toEqual(places(without))
  })

  it('ignores a state to highlight that it does not have', () => {
    expect(toSvg(ORDER, { name: 'x', highlight: 'gone' })).toBe(toSvg(ORDER, { name: 'x' }))
  })

  it('shows a failed end in another colour than a finished one', () => {
    const colours = svgOf(ORDER).map(({ attributes }) => attributes['stroke'])
    expect(colours).toContain('#16a34a')
    expect(colours).toContain('#dc2626')
  })

  it.each<[string, readonly GraphState[]]>([
    ['no states', []],
    ['one state', [aState('a')]],
    ['a loop', [aState('a', { to: ['a'] })]],
    [
      'loops on conditions',
      [aState('a', { sources: [source("goTo('a')"), source("goTo('a')", 'x')] })],
    ],
    ['a cycle of two', [aState('a', { to: ['b'] }), aState('b', { to: ['a'] })]],
    ['parts that do not meet', [aState('a', { to: ['b'] }), aState('b'), aState('c')]],
    ['two starts', [aState('a', { start: true }), aState('b', { start: true, to: ['a'] })]],
  ])('draws a graph of %s', (_what, states) => {
    const graph = blueprintGraph(states)
    const elements = svgOf(graph)
    expect(textsOf(elements)).toEqual(expect.arrayContaining(graph.nodes.map(({ name }) => name)))
    expect(JSON.stringify(elements)).not.toMatch(/NaN|Infinity|undefined/)
    expect(JSON.stringify(elements)).not.toContain('"d":""')
  })

  it('draws a cycle of two as two lines', () => {
    const states = [aState('a', { to: ['b'] }), aState('b', { to: ['a'] })]
    const paths = svgOf(blueprintGraph(states)).map(({ attributes }) => attributes['d'])
    const lines = paths.filter((path) => path !== undefined && !path.endsWith('z'))
    expect(new Set(lines).size).toBe(2)
  })

  it.each(HARD_NAMES)('writes a name such as %j', (name) => {
    const elements = elementsOf(toSvg(aGraphOf([name, 'other']), { name, highlight: name }))
    expect(textsOf(elements)).toContain('other')
    expect(elements.map((each) => each.name)).not.toContain('b')
  })

  it('breaks long names and conditions, and keeps the whole of them as a tooltip', () => {
    const name = 'a_state_with_a_name_that_is_much_too_long_for_one_line_and_even_for_two'
    const elements = svgOf(blueprintGraph([aState(name)]))
    expect(textsOf(elements)).toEqual(['a_state_with_a_name_that_', 'is_much_too_long_for_one_…'])
    expect(elements).toContainEqual({ name: 'title', attributes: {}, text: name })
  })

  it('draws thousands of states too, if only as a grid', () => {
    const names = Array.from({ length: 3_000 }, (_each, index) => `s${String(index)}`)
    const chain = names.map((name, index) =>
      aState(name, { to: names.slice(index + 1, index + 2) }),
    )
    expect(textsOf(svgOf(blueprintGraph(chain)))).toEqual(names)
  })

  it('has no scripts, styles or links', () => {
    const kinds = new Set(svgOf(aGraphOf(HARD_NAMES)).map(({ name }) => name))
    expect([...kinds].sort()).toEqual([
      ...['circle', 'defs', 'desc', 'g', 'marker', 'path', 'rect', 'svg', 'text', 'title'],
    ])
  })
})

describe('any graph', () => {
  const SIGNS = Array.from(`"'\\<>&#;:[](){}|\`-_./ \n\t\u2028`)
  /** Any UTF-16, also what is no text. */
  const name = fc.string({
    unit: fc.oneof(
      fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
      fc.constantFrom(...SIGNS, ']]>', '-->', '&#', '\ud83d\ude42'),
    ),
    minLength: 1,
    maxLength: 40,
  })
  const text = fc.option(name)
  const graphs = fc.uniqueArray(name, { minLength: 1, maxLength: 8 }).chain((names) => {
    const state = fc.constantFrom(...names)
    const edge = fc.record({
      ...{ from: state, to: state, label: text, condition: text },
      ...{ isConditional: fc.boolean(), isDeclared: fc.boolean() },
      kind: fc.constantFrom('transition' as const, 'task' as const),
    })
    const node = fc.record({
      ...{ start: fc.boolean(), isAggregator: fc.boolean() },
      end: fc.constantFrom(null, 'finished' as const, 'failed' as const),
    })
    return fc.record({
      nodes: fc.tuple(...names.map((each) => node.map((rest) => ({ name: each, ...rest })))),
      edges: fc.array(edge, { maxLength: 16 }),
    })
  })

  it('is well-formed in every format, and the same each time', () => {
    fc.assert(
      fc.property(graphs, name, (graph, title) => {
        const options = { name: title, highlight: graph.nodes[0]?.name }
        const svg = toSvg(graph, options)
        const places = elementsOf(svg).map(({ attributes: { d, x, y, width } }) => [d, x, y, width])
        expect(places.flat().join()).not.toMatch(/NaN|Infinity/)
        expect(toSvg(structuredClone(graph), options)).toBe(svg)
        const { nodes, edges } = readDot(toDot(graph, options))
        expect(new Set(nodes).size).toBe(graph.nodes.length)
        expect(edges).toHaveLength(drawnEdges(graph).length)
        const mermaid = readMermaid(toMermaid(graph, options))
        expect(mermaid.nodes).toHaveLength(graph.nodes.length)
        expect(mermaid.edges).toHaveLength(drawnEdges(graph).length)
      }),
      { numRuns: 150 },
    )
  })
})
