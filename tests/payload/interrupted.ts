/**
 * A process that delivers a payload and kills itself at one of the steps, for
 * a test of what the next start finds.
 *
 * Arguments: path of the secure mount, and the number of the log line at which
 * to die.
 *
 * @module
 */

import type { Log } from "../../log/log.ts";
import { PayloadDelivery } from "../../payload/delivery.ts";
import { openSecureMount } from "../../payload/secure_mount.ts";
import { CONFIG } from "./delivery_kit.ts";
import { sealed } from "./sealing.ts";
import { zip } from "./zip_file.ts";

const [path = "", last = "0"] = Deno.args;
let line = 0;
const dying = (): void => {
  line += 1;
  if (line === Number(last)) Deno.kill(Deno.pid, "SIGKILL");
};
const log: Log = {
  error: dying,
  warn: dying,
  info: dying,
  debug: dying,
  trace: dying,
};

const [uid, gid] = [Deno.uid() ?? 0, Deno.gid() ?? 0];
const place = await openSecureMount(
  { path, size: "1m", owner: { uid, gid }, uid },
  log,
);
await using delivery = await PayloadDelivery.open({
  config: CONFIG,
  place,
  onDelivered: () => {},
  log,
});
delivery.enqueue(sealed(zip([
  { name: "autorun.sh", content: "exit 0\n" },
  { name: "second", content: "second" },
  { name: "d/third", content: "third" },
])));
await delivery.idle();
