/**
 * Which commands concern the objects and sessions that a client has loaded:
 * its space, as resource managers say. All others are cheaper elsewhere: for
 * every command in a space that holds something, Linux loads it all into the
 * TPM before and saves it all afterwards.
 *
 * @module
 */

import { decode } from "./codec/codec.ts";
import { GetCapability } from "./commands/capability.ts";
import { FlushContext } from "./commands/context.ts";
import type { SomeCommand } from "./commands/command.ts";
import type { CommandFrame } from "./commands/frame.ts";
import { type HandleType, handleType } from "./spec/handles.ts";

const SPACE_TYPES: readonly HandleType[] = [
  "transient",
  "hmacSession",
  "policySession",
];

/**
 * Whether `frame`, which carries `command`, makes, uses, lists or flushes
 * something in a space. PCRs, NV indices, hierarchies and persistent objects
 * are in none.
 */
export function concernsSpace(
  command: SomeCommand,
  frame: CommandFrame,
): boolean {
  // Every handle that a TPM returns is of a loaded object or session.
  if (command.responseHandle !== undefined) return true;
  const handles = [
    ...frame.handles,
    ...frame.authorizations.map(({ sessionHandle }) => sessionHandle),
    ...handlesInParameters(frame),
  ];
  return handles.some((handle) => SPACE_TYPES.includes(handleType(handle)));
}

/** Handles that Part 3 makes parameters. */
function handlesInParameters(
  { code, parameters }: CommandFrame,
): readonly number[] {
  if (code === FlushContext.code) {
    return [decode(FlushContext.parameters, parameters).flushHandle];
  }
  if (code === GetCapability.code) {
    const { capability, property } = decode(
      GetCapability.parameters,
      parameters,
    );
    return capability === "handles" ? [property] : [];
  }
  return [];
}
