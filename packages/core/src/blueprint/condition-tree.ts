/** A condition as it was read. */

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in'

export type ConditionNode =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  /** The keys below the context; the first is a name of the context. */
  | { readonly kind: 'path'; readonly keys: readonly string[] }
  | { readonly kind: 'list'; readonly items: readonly ConditionNode[] }
  | {
      readonly kind: 'comparison'
      readonly operator: Comparison
      readonly left: ConditionNode
      readonly right: ConditionNode
    }
  | { readonly kind: 'not'; readonly inner: ConditionNode }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly ConditionNode[] }
