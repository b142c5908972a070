// The languages of the menu, and what it can say; how it says that stands in MenuTexts.

internal import Glibc
internal import Platform

enum MenuLanguage: CaseIterable {
    case english, german, japanese

    var name: String {
        switch self {
        case .english: "English"
        case .german: "Deutsch"
        case .japanese: "日本語"
        }
    }

    /// Those that this terminal can show: Linux's own console has no Japanese letters.
    static var offered: [MenuLanguage] { showsJapanese ? allCases : [.english, .german] }

    private static var showsJapanese: Bool {
        let kind = HostFacts.environment("TERM")?.description ?? ""
        return !["", "dumb", "linux"].contains(kind) && !kind.hasPrefix("linux-")
            && !isScreen(ttyname(0).map { String(cString: $0) } ?? "")
    }

    /// `/dev/tty1`, as opposed to `/dev/ttyS0`, and to `/dev/pts/1`.
    private static func isScreen(_ terminal: String) -> Bool {
        let number = terminal.dropFirst("/dev/tty".count)
        return terminal == "/dev/console"
            || terminal.hasPrefix("/dev/tty") && !number.isEmpty && number.allSatisfy { $0.isASCII && $0.isNumber }
    }
}

/// A text in each language of the menu; `%1`, `%2` … stand for what is put in.
struct MenuText {
    var english: String
    var german: String
    var japanese: String

    init(_ english: String, _ german: String, _ japanese: String) {
        self.english = english
        self.german = german
        self.japanese = japanese
    }
}

enum MenuWord: CaseIterable {
    case heading, backup, restore, copyOrVerify, points, wipe, keyboard, language, network, shell, restart
    case switchOff, end, back, start, yes, no, more, typeNumber, enterTakes, enterNone, zeroBack, enterGoesOn
    case strangeCharacters, commandsAreEnglish, otherConsole, failure, hint, willRun
    case lastConfirmation, statusDone, statusFailed, statusUsage, statusFindings, statusRefused
    case statusInterrupted, statusCrashed, statusOther, stickMissing, stickWasPulled, checkStick
    case withoutCheckOfStick, stickMayGo, stickIsFree, otherMedium, thatIsTheStick, serialNumber, otherDisk, typeDisk,
        noSuchPath
    case looking, backupWhat, wholeDisk, folderOrFile, whichDisk, typeFolder, backupWhere, ontoStick
    case intoFolder, typeStore, typeHost, typeName, unfitName, noRecipients, recipientsOf
    case badRecipient, emptyRecipients, labelWanted, labelWritten, backupWill, nothingElseIsWritten
    case littleRoom, whereIsImage, onStick, inFolder, inFile, inStore, typeFile, noImages, whichImage, storeLine
    case withoutLabel, sameHardware, whichKey, passphraseOrOwnKey, keyFile, otherKeyFile, typedKey
    case typeKeyFile, howToTypeKey, typeKey, restoreWhat, toDisk, toFolder, showNeeds, justCheck
    case ontoWhichDisk, fits, doesNotFit, restoreDiskWill, restoreFolderWill, serialIsAsked, otherHardware
    case refuseOtherHardware, takeOtherHardware, checkFirst, checkFirstYes, checkFirstNo, damagedGoOn
    case whatToDo, verifyImage, copyImage, asFile, typeImage, copyWill, noMachineFound, whichMachine
    case pointsStatus, pointsRollback, pointsUndo, pointsReset, filterStatus, filterDisable, pointsLog
    case asksOnceMore, wipeWhich, noDevice, wipeHow, wipeClear, wipePurge, wipeWill, certificateGoes
    case noCertificate, whichKeyboard, keyboardIsSet, shellEnds, endWill, noInterface, whichInterface
    case networkHow, networkAutomatic, networkByHand, networkWill, noNetworkClient, typeAddress, typeGateway
    case typeNameServer, noAddress, nameServerGoes, machineNotUp, typePassword, wrongPassword, noPassword
    case toStick, intoStore, typePassphrase, passphraseAgain, newPassphrase, sameAgain, passphrasesDiffer, tooSmallDisk
    case chooseOtherDisk, tryAllTheSame, newestChange, copyFirst, copyFirstYes, copyFirstNo, copyStoreFirstYes,
        inMemoryNow
    case seriesHeading, seriesWill, seriesNewIdentity, seriesSameIdentity, seriesCountdown, seriesStopped
    case seriesReport, seriesDone, seriesNotDone, seriesNoReport

    /// The text with what is put in.
    func text(_ language: MenuLanguage, _ arguments: [String] = []) -> String {
        let template =
            switch language {
            case .english: text.english
            case .german: text.german
            case .japanese: text.japanese
            }
        var (result, rest) = ("", template[...])
        // In one pass: what is put in may look like a place itself.
        while let mark = rest.firstIndex(of: "%") {
            result += rest[..<mark]
            rest = rest[rest.index(after: mark)...]
            guard let number = rest.first.flatMap({ $0.isASCII ? $0.wholeNumberValue : nil }), number > 0 else {
                result += "%"
                continue
            }
            result += arguments.count >= number ? arguments[number - 1] : ""
            rest = rest.dropFirst()
        }
        return result + rest
    }
}
