import assert from "node:assert/strict";
import { Quote } from "../../tpm/commands/attestation.ts";
import { GetRandom } from "../../tpm/commands/capability.ts";
import { Startup } from "../../tpm/commands/startup.ts";
import { TpmError } from "../../tpm/error.ts";

Deno.test("TpmError says which command failed, on what, and why", async (t) => {
  const rows: readonly [string, TpmError][] = [
    [
      "TPM2_Quote on 0x80000001 failed: TPM_RC_VALUE (0x2c4) for parameter 2 (inScheme)",
      new TpmError(Quote, 0x2c4, [0x8000_0001]),
    ],
    [
      "TPM2_Quote on 0x80000001 failed: TPM_RC_HANDLE (0x18b) for handle 1 (signHandle)",
      new TpmError(Quote, 0x18b, [0x8000_0001]),
    ],
    [
      "TPM2_Quote on 0x80000001 failed: TPM_RC_BAD_AUTH (0x9a2) for session 1",
      new TpmError(Quote, 0x9a2, [0x8000_0001]),
    ],
    [
      "TPM2_GetRandom failed: TPM_RC_SIZE (0xfd5) for parameter 15",
      new TpmError(GetRandom, 0xfd5),
    ],
    [
      "TPM2_Startup failed: TPM_RC_INITIALIZE (0x100)",
      new TpmError(Startup, 0x100),
    ],
    [
      "TPM2_GetRandom failed: unknown response code (0xb0500)",
      new TpmError(GetRandom, 0xb0500),
    ],
    [
      "TPM2_GetRandom failed: TPM_RC_BAD_TAG (0x01e)",
      new TpmError(GetRandom, 0x1e),
    ],
  ];
  for (const [message, error] of rows) {
    await t.step(message, () => assert.equal(error.message, message));
  }
});

Deno.test("TpmError.is() compares names, whatever is blamed", () => {
  const error = new TpmError(Quote, 0x2c4);
  assert.equal(error.is("TPM_RC_VALUE"), true);
  assert.equal(error.is("TPM_RC_SIZE"), false);
  assert.equal(error.command, "TPM2_Quote");
  assert.equal(error.name, "TpmError");
});
