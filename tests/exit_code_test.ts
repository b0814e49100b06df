import assert from "node:assert/strict";
import {
  IdentityRefusedError,
  RegistrationRefusedError,
} from "../agent/registrar_dialogue.ts";
import { ConfigError, UnfitOptionError } from "../config/error.ts";
import { UnusableFileError } from "../crypto/state_file.ts";
import { exitCodeOf } from "../exit_code.ts";
import { PrivilegeError } from "../service/privileges.ts";
import { TctiError, TransportError } from "../tpm/mod.ts";

Deno.test("exitCodeOf() tells what a new start may heal from what it cannot", async (t) => {
  const wrong = new ConfigError(": wrong", { origin: { kind: "default" } });
  const rows: readonly [string, unknown, number][] = [
    ["a wrong option", wrong, 78],
    ["an option that does not fit", new UnfitOptionError(""), 78],
    ["a file that does not", new UnusableFileError(""), 78],
    ["an unknown account", new PrivilegeError(""), 78],
    ["an unknown TCTI", new TctiError(""), 78],
    ["another machine's id", new IdentityRefusedError(""), 77],
    ["a refusal for another reason", new RegistrationRefusedError(""), 1],
    ["a TPM that is gone", new TransportError(""), 1],
    ["anything else", new Error("", { cause: wrong }), 1],
    ["no error", "text", 1],
    [
      "trouble while cleaning up after one",
      new SuppressedError(new Error("while closing"), wrong),
      78,
    ],
    [
      "a wrong option found while cleaning up",
      new SuppressedError(wrong, new Error("lost")),
      1,
    ],
  ];
  for (const [name, error, code] of rows) {
    await t.step(name, () => assert.equal(exitCodeOf(error), code));
  }
});
