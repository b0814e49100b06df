/** The agent's version, as `keylime_agent --version` prints it. */
export const VERSION = "0.1.0";
