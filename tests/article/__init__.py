"""What Authweb has to do, row by row: the article's own statements, and how its gaps are closed.

The one truth about rows. `@pytest.mark.article("S-38")` on a test says that it shows a row; of a row that is a refusal
one test shows what is refused, `("S-08", "refused")`, and another what is allowed beside it, `("S-08", "allowed")`.
"""

from __future__ import annotations

from collections.abc import Mapping

SECTIONS: Mapping[str, Mapping[str, str]] = {
    "Purpose": {
        "S-01": "stands under “Back up your accounts” in Settings and in the help, and is found there",
        "S-02": "saves the whole list; no account is picked or left out",
        "S-03": "says first what a backup is for: a lost phone, a new device",
        "S-04": "brings the accounts back by a sign-in to the recovery account",
        "S-05": "gives the right codes again after a restore",
        "S-06": "explains how to back up in a section of its own, by type of device, one's own first",
    },
    "Accounts and their kinds": {
        "S-31": "knows three families of accounts, under the article's names; each kind has its portion",
        "S-32": "shows a personal account's code and changes it every 30 seconds",
        "S-38": "shows a third-party account's code, every 30 seconds or as its own settings say",
        "S-60": "explains how to add accounts, and leads there from the help about backups",
    },
    "One type of device": {
        "S-07": "says before any step that backup and restore stay within one type of device",
        "S-08": "restores a backup on its own type of device alone, whatever is sent",
    },
    "Turning it on: iPhone": {
        "S-09": "asks for the iPhone's switches first, and for the backup after them",
        "S-10": "takes iCloud instead of Microsoft from September 2025, and only with iCloud Keychain on",
        "S-11": "chooses the provider by type of device and date alone",
        "S-12": "begins with “iCloud” in the iPhone's Settings",
        "S-13": "asks whether “Back Up This iPhone” is on",
        "S-14": "tells to go back",
        "S-15": "tells to find the app under “Saved to iCloud”",
        "S-16": "asks whether its switch is on",
        "S-17": "goes on in the app, with the answers still there",
        "S-18": "is two taps away from Settings",
        "S-19": "has one switch, “Cloud Backup”, which works without script",
        "S-20": "has the person choose who holds the backup, by a sign-in there",
        "S-21": "says there that another account means a new backup, and the old one is deleted",
        "S-22": "writes nothing before “OK”, and reads back and compares what it wrote after it",
    },
    "Turning it on: Android": {
        "S-23": "calls what is saved there “one-time password accounts”",
        "S-24": "begins in the app",
        "S-25": "reaches Settings from the menu",
        "S-26": "has the same switch there",
        "S-27": "offers Microsoft alone there, at every date",
        "S-28": "gives the same note about another account",
        "S-29": "ends with “OK”, as on an iPhone",
        "S-30": "asks nothing of the phone first",
    },
    "Turning it on: everywhere": {
        "S-62": "takes no work or school account as recovery account",
        "S-65": "has one name on every type of device, “Cloud Backup”",
    },
    "The recovery account": {
        "S-63": "keeps one backup in play when the account changes",
        "S-48": "begins a fresh backup when it is turned on again",
        "S-49": "offers “Continue”, which takes that account alone, and “Change account”, which takes another",
    },
    "What is backed up": {
        "S-33": "carries a personal account with a code whole",
        "S-34": "carries a personal account without a password by its name alone",
        "S-35": "asks for a new sign-in to it after a restore",
        "S-36": "carries a work or school account by its name alone",
        "S-37": "asks for a new sign-in to it, or a new QR code, after a restore",
        "S-39": "carries a third-party account whole",
        "S-66": "carries nothing else",
    },
    "Deleting a backup": {
        "S-43": "deletes a backup and leaves a wrong recovery account in one way, under one heading",
        "S-44": "begins in Settings",
        "S-45": "keeps the switch in a group headed “Backup”",
        "S-46": "asks before it turns the backup off",
        "S-47": "deletes the backup when it was turned off; off is no pause",
        "S-64": "says on the page of deletion what goes, so that its “OK” is no other one",
    },
    "Something went wrong": {
        "S-50": "says “Something went wrong” whenever a backup could not be made, and nowhere else",
        "S-51": "knows that nobody is signed in to the recovery account, and says so",
        "S-52": "leads back to Settings",
        "S-53": "leads to a backup from there in four steps at most",
    },
    "Autofill and passwords": {
        "S-40": "tells that autofill ends in July 2025, and from then on that it has ended",
        "S-41": "tells the same of saved passwords and August 2025",
        "S-42": "leads on from there by “Learn more”",
        "S-54": "explains what autofill was",
        "S-55": "explains how saved passwords are used on several devices now",
    },
    "Passkeys": {
        "S-56": "takes passkeys: made, and signed in with",
        "S-57": "tells who has passkeys at Microsoft to keep the authenticator switched on for them",
        "S-58": "says what stops working before passkeys are switched off or removed, and locks nobody out",
    },
    "Administrators": {
        "S-61": "lets an administrator block third-party codes of the organisation's accounts, on every way in",
    },
    "See also": {
        "S-59": "explains how to get Authweb on a device",
    },
    "Where the article is silent": {
        "G-01": "deletes 24 hours after it was turned off, with undo until then and no new saved state",
        "G-02": "lets the date decide which provider the steps for an iPhone name",
        "G-03": "restores what an iPhone saved under Microsoft before, and saves nothing new there",
        "G-04": "turns dates at midnight UTC; they are settings",
        "G-05": "keeps answers about the iPhone's switches with their date, and says that it cannot see them",
        "G-06": "takes any recovery account but one of work or school on a computer, without a list before",
        "G-07": "carries personal accounts with a code whole on an iPhone too",
        "G-08": "restores in six steps at most, with a look before and a report after",
        "G-09": "removes nothing by a restore; equal accounts become one, unequal ones are both kept",
        "G-10": "shows a backup that is there already, offers to restore it, and never writes over it",
        "G-11": "keeps the fuller saved state until somebody says that the smaller list is right",
        "G-12": "keeps the newest three, one of each of seven days, and pinned ones",
        "G-13": "opens each saved state before it is sent and compares it after; only then it counts",
        "G-14": "says when it was saved and checked, how many, under whom, for which device, who opens it",
        "G-15": "has two protections, each in its own honest sentence",
        "G-16": "saves one list once, whichever device changes it",
        "G-17": "says that lists that were restored stay when the backup is deleted",
        "G-18": "finds backups by the sign-in and the server's keys where the database is lost",
        "G-19": "takes no work or school account as recovery account",
        "G-20": "names each other cause, with the next step and a reference",
        "G-21": "keeps the order of the list",
        "G-22": "signs in, links and makes nobody by a proof, which serves once",
        "G-23": "treats a work account's code that was added as another account as third-party",
        "G-24": "shows administrators no name, issuer or secret key of an account",
        "G-25": "gives a person one list; a second one only where it is asked for",
        "G-26": "opens the list in another browser by approval, a passkey or six words",
        "G-27": "makes, changes and removes keys, and says what each opens",
        "G-28": "tells everybody who holds the recovery account of a restore, and counts three a day",
        "G-29": "deletes a person with all there is after 24 hours of undo",
        "G-30": "takes 2,000 accounts and 1,000,000 bytes, and says so",
        "G-31": "refuses a removed device at once, with 24 hours of undo",
        "G-32": "puts a list aside that nobody opens, and keeps it where a key turns up",
        "G-33": "says where a server has no provider for recovery accounts",
        "G-34": "knows its own second factor in the list, and has its recovery codes saved elsewhere first",
        "G-35": "restores what is there where newer saved states are missing, and names them",
        "G-36": "keeps the old backup until the one under another account is proven",
    },
}
ROWS: Mapping[str, str] = {row: text for rows in SECTIONS.values() for row, text in rows.items()}

# Of those nobody believes that something is refused before it is seen that the rest is not.
REFUSALS = frozenset(
    {
        *("S-08", "S-09", "S-10", "S-49", "S-58", "S-61", "S-62"),
        *("G-01", "G-06", "G-19", "G-22", "G-25", "G-26", "G-28", "G-30", "G-31", "G-34"),
    }
)
SIDES = ("refused", "allowed")

# What is being built. Empty again when it is; a row with tests may not stand here.
AWAITED: frozenset[str] = frozenset()
