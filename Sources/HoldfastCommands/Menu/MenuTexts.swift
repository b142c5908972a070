// All that the menu says, once: each text in English, German and Japanese. What is missing in one of them does not compile.

extension MenuWord {
    var text: MenuText {
        switch self {
        case .heading: .init("%1 on %2; stick: %3", "%1 auf %2; Stick: %3", "%1（%2）　スティック: %3")
        case .backup: .init("Backup this machine", "Diese Maschine sichern", "この装置をバックアップする")
        case .restore: .init("Restore", "Wiederherstellen", "復元する")
        case .copyOrVerify: .init("Copy or verify images", "Abbilder kopieren oder prüfen", "イメージをコピーまたは検査する")
        case .points: .init("Restore points", "Wiederherstellungspunkte", "復元ポイント")
        case .wipe: .init("Wipe a disk", "Datenträger löschen", "ディスクを消去する")
        case .keyboard: .init("Keyboard and language", "Tastatur und Sprache", "キーボードと言語")
        case .language: .init("Language", "Sprache", "言語")
        case .network: .init("Network", "Netzwerk", "ネットワーク")
        case .shell: .init("Shell", "Kommandozeile (Shell)", "シェル")
        case .restart: .init("Restart", "Neu starten", "再起動する")
        case .switchOff: .init("Switch off", "Ausschalten", "電源を切る")
        case .end: .init("End", "Ende", "終了")
        case .back: .init("Back; nothing is done", "Zurück, ohne etwas auszuführen", "戻る（何も行いません）")
        case .start: .init("Go on: do it", "Ja, jetzt ausführen", "実行する")
        case .yes: .init("Yes", "Ja", "はい")
        case .no: .init("No", "Nein", "いいえ")
        case .more:
            .init(
                "Enter alone shows more of the %1.", "Enter allein zeigt weitere Einträge (%1 insgesamt).",
                "Enter キーだけを押すと続きを表示します（全 %1 件）。")
        case .typeNumber:
            .init(
                "Type one of the numbers, %1 to %2, and Enter.",
                "Bitte eine Zahl von %1 bis %2 eingeben und Enter drücken.", "%1 から %2 までの番号を入力し、Enter キーを押してください。")
        case .enterTakes: .init("Enter alone takes: %1", "Enter allein übernimmt: %1", "Enter キーだけを押すと次を使います: %1")
        case .enterNone: .init("Enter alone: none.", "Enter allein: keine Angabe.", "Enter キーだけを押すと「なし」になります。")
        case .zeroBack:
            .init(
                "0 leads back; nothing is done.", "Mit 0 geht es zurück, ohne dass etwas geschieht.",
                "0 で戻ります（何も行いません）。")
        case .enterGoesOn: .init("Enter goes on.", "Weiter mit Enter.", "Enter キーで続けます。")
        case .strangeCharacters:
            .init(
                "That has characters that no key types. Type it again.",
                "Das enthält Zeichen, die keine Taste erzeugt. Bitte noch einmal eingeben.",
                "入力できない文字が含まれています。もう一度入力してください。")
        case .commandsAreEnglish:
            .init(
                "What the commands themselves print is English.", "Die Ausgaben der Befehle selbst sind englisch.",
                "コマンド自体の出力は英語です。")
        case .otherConsole:
            .init(
                "The other console is at work (%1). Wait, or go there.",
                "An der anderen Konsole läuft gerade: %1. Bitte warten oder dort nachsehen.",
                "別のコンソールで作業中です（%1）。待つか、そちらを確認してください。")
        case .failure: .init("That did not work: %1", "Das hat nicht geklappt: %1", "できませんでした: %1")
        case .hint: .init("What helps: %1", "Abhilfe: %1", "対処方法: %1")
        case .willRun: .init("This will be run:", "Folgendes wird ausgeführt:", "次のコマンドを実行します:")
        case .lastConfirmation:
            .init(
                "Nothing of this has been done yet. Is it right?",
                "Davon ist noch nichts geschehen. Ist es richtig so?", "ここまでの内容はまだ実行していません。これでよろしいですか。")
        case .statusDone: .init("Done.", "Fertig.", "完了しました。")
        case .statusFailed:
            .init(
                "It failed. Why stands above.", "Es ist fehlgeschlagen. Der Grund steht oben.", "失敗しました。理由は上に表示されています。")
        case .statusUsage:
            .init(
                "That cannot be done so. Why stands above.", "So geht es nicht. Der Grund steht oben.",
                "この指定では実行できません。理由は上に表示されています。")
        case .statusFindings:
            .init(
                "Done, but not all of it: what is missing or damaged is listed above.",
                "Fertig, aber nicht vollständig: Was fehlt oder beschädigt ist, steht oben.",
                "完了しましたが、問題があります。欠落や破損は上に表示されています。")
        case .statusRefused:
            .init(
                "It was refused. Why, and what helps, stands above.",
                "Das wurde abgelehnt. Der Grund und die Abhilfe stehen oben.", "拒否されました。理由と対処方法は上に表示されています。")
        case .statusInterrupted:
            .init(
                "It was interrupted. The same can be chosen again.",
                "Es wurde abgebrochen. Derselbe Vorgang lässt sich noch einmal wählen.", "中断されました。同じ操作をもう一度選べます。")
        case .statusCrashed:
            .init(
                "The command was ended by signal %1. The menu goes on.",
                "Der Befehl wurde durch Signal %1 beendet. Das Menü läuft weiter.", "コマンドがシグナル %1 で終了しました。メニューは続きます。")
        case .statusOther: .init("It ended with status %1.", "Beendet mit Status %1.", "ステータス %1 で終了しました。")
        case .stickMissing:
            .init(
                "The stick is not there (%1). Plug it in, and choose again.",
                "Der Stick ist nicht da (%1). Bitte einstecken und noch einmal wählen.",
                "スティックが見つかりません（%1）。挿し込んで、もう一度選んでください。")
        case .stickWasPulled:
            .init(
                "%1 was pulled while it was written the last time. Have it checked first?",
                "%1 wurde beim letzten Schreiben abgezogen. Zuerst prüfen?", "%1 は前回、書き込み中に抜かれました。先に検査しますか。")
        case .checkStick:
            .init("Yes, have it checked and mended (%1)", "Ja, prüfen und in Ordnung bringen (%1)", "はい、検査して修復する（%1）")
        case .withoutCheckOfStick: .init("No, write to it as it is", "Nein, ungeprüft darauf schreiben", "いいえ、そのまま書き込む")
        case .stickMayGo:
            .init(
                "Everything is on the stick; it may be pulled now.",
                "Alles ist auf dem Stick; er darf jetzt abgezogen werden.", "すべてスティックに書き込みました。抜いてもかまいません。")
        case .stickIsFree:
            .init(
                "Not all that was wanted is on the stick. It is not in use.",
                "Es ist nicht alles auf dem Stick. Er wird gerade nicht benutzt.",
                "スティックへの書き込みは完了していません。スティックは使用中ではありません。")
        case .otherMedium:
            .init(
                "Another one: type its path, as /dev/sdb", "Ein anderer: Pfad eingeben, etwa /dev/sdb",
                "その他（/dev/sdb のようにパスを入力）")
        case .thatIsTheStick:
            .init(
                "That is the stick itself. It is left alone.", "Das ist der Stick selbst. Er wird nicht angetastet.",
                "それはスティック自体です。操作しません。")
        case .serialNumber: .init("serial number %1", "Seriennummer %1", "シリアル番号 %1")
        case .otherDisk:
            .init(
                "Another one, or a file that is a disk: type its path",
                "Ein anderer oder eine Datei mit dem Inhalt eines Datenträgers: Pfad eingeben",
                "その他（パスを入力。ディスクイメージファイルも可）")
        case .typeDisk:
            .init(
                "The path of the disk, as /dev/sdb, or of the file:",
                "Der Pfad des Datenträgers, etwa /dev/sdb, oder der Datei:", "ディスクのパス（例: /dev/sdb）またはファイルのパス:")
        case .noSuchPath:
            .init(
                "There is no %1. Type it again.", "%1 gibt es nicht. Bitte noch einmal eingeben.",
                "%1 はありません。もう一度入力してください。")
        case .looking:
            .init(
                "Looking at it; nothing is written.", "Der Datenträger wird untersucht; geschrieben wird dabei nichts.",
                "調べています（書き込みはしません）。")
        case .backupWhat: .init("What is to be backed up?", "Was soll gesichert werden?", "何をバックアップしますか。")
        case .wholeDisk:
            .init(
                "A whole disk, with what makes it start", "Ein ganzer Datenträger mit allem, was zum Starten nötig ist",
                "ディスク全体（起動に必要なものを含む）")
        case .folderOrFile: .init("A folder or a file", "Ein Ordner oder eine Datei", "フォルダーまたはファイル")
        case .whichDisk: .init("Which disk?", "Welcher Datenträger?", "どのディスクですか。")
        case .typeFolder:
            .init("The path of the folder or file:", "Der Pfad des Ordners oder der Datei:", "フォルダーまたはファイルのパス:")
        case .backupWhere: .init("Where to?", "Wohin?", "どこに保存しますか。")
        case .ontoStick: .init("Onto the stick, as one file", "Auf den Stick, als eine Datei", "スティックに 1 つのファイルとして")
        case .toStick: .init("Onto the stick", "Auf den Stick", "スティック")
        case .intoFolder:
            .init(
                "Into a folder, as one file: type its path", "In einen Ordner, als eine Datei: Pfad eingeben",
                "フォルダーに 1 つのファイルとして（パスを入力）")
        case .intoStore:
            .init(
                "Into a store: type its path, name or URL", "In eine Ablage (Store): Pfad, Name oder URL eingeben",
                "ストア（パス、名前または URL を入力）")
        case .typeStore:
            .init(
                "The store (a path, a name, usb:LABEL/…, sftp://…, s3://…):",
                "Die Ablage (Pfad, Name, usb:LABEL/…, sftp://…, s3://…):", "ストア（パス、名前、usb:LABEL/…、sftp://…、s3://…）:")
        case .typeHost:
            .init(
                "What is the machine called that the disk is of?",
                "Wie heißt die Maschine, zu der der Datenträger gehört?", "このディスクの装置の名前は何ですか。")
        case .typeName: .init("What is the image to be called?", "Wie soll das Abbild heißen?", "イメージの名前を入力してください。")
        case .unfitName:
            .init(
                "Up to 64 letters, digits and . - _ that Windows takes as a name, please.",
                "Bis zu 64 Buchstaben ohne Umlaute, Ziffern, . - _; Windows muss ihn annehmen.",
                "英数字と . - _ で 64 文字まで、Windows で使える名前にしてください。")
        case .noRecipients:
            .init(
                "There is no recipients.txt with public keys: a passphrase will open it.",
                "Keine recipients.txt mit öffentlichen Schlüsseln: Es gilt ein Kennwort.",
                "公開鍵の recipients.txt がないため、パスフレーズで開くようにします。")
        case .recipientsOf: .init("Who can open it, by %1: %2", "Öffnen können es laut %1: %2", "開くことができる人（%1）: %2")
        case .badRecipient:
            .init(
                "%1, line %2, is no public key (age1…): %3. Nothing was done.",
                "%1, Zeile %2: kein öffentlicher Schlüssel (age1…): %3. Nichts wurde verändert.",
                "%1 の %2 行目は公開鍵（age1…）ではありません: %3。何も行っていません。")
        case .emptyRecipients:
            .init(
                "%1 names nobody. Write public keys (age1…) into it, or remove it.",
                "In %1 steht kein öffentlicher Schlüssel (age1…): eintragen oder löschen.",
                "%1 に公開鍵がありません。age1… を書き込むか、削除してください。")
        case .labelWanted:
            .init(
                "Put a readable text beside it (host, time, disks, size; no secrets)?",
                "Einen lesbaren Text danebenlegen (Name, Zeit, Datenträger; nichts Geheimes)?",
                "説明のテキスト（名前、時刻、ディスク、サイズ。秘密なし）を添えますか。")
        case .labelWritten: .init("The text beside it: %1", "Text daneben: %1", "添えたテキスト: %1")
        case .backupWill:
            .init(
                "%1 will be read, and an image of it made: %2", "%1 wird gelesen und als Abbild gesichert: %2",
                "%1 を読み取り、イメージを作成します: %2")
        case .nothingElseIsWritten:
            .init(
                "Nothing else is written. It may take hours; Ctrl-C ends it.",
                "Sonst wird nichts geschrieben. Es kann Stunden dauern; Strg+C bricht ab.",
                "それ以外は書き込みません。数時間かかることがあります。Ctrl-C で中止します。")
        case .littleRoom:
            .init(
                "%1 are free there, and %2 are in use: it fits only if it can be compressed.",
                "Frei sind dort %1, belegt sind %2: Es passt nur, wenn es sich gut packen lässt.",
                "空き容量は %1、使用量は %2 です。圧縮できる場合だけ収まります。")
        case .whereIsImage: .init("Where is the image?", "Wo ist das Abbild?", "イメージはどこにありますか。")
        case .onStick: .init("On the stick", "Auf dem Stick", "スティック")
        case .inFolder: .init("In a folder: type its path", "In einem Ordner: Pfad eingeben", "フォルダー（パスを入力）")
        case .inFile: .init("It is one file: type its path", "Als einzelne Datei: Pfad eingeben", "1 つのファイル（パスを入力）")
        case .inStore:
            .init(
                "In a store: type its path, name or URL", "In einer Ablage (Store): Pfad, Name oder URL eingeben",
                "ストア（パス、名前または URL を入力）")
        case .typeFile: .init("The path of the file:", "Der Pfad der Datei:", "ファイルのパス:")
        case .noImages:
            .init(
                "There is neither an image (NAME.hf) nor a store in %1.",
                "In %1 ist weder ein Abbild (NAME.hf) noch eine Ablage (Store).", "%1 にはイメージ（NAME.hf）もストアもありません。")
        case .whichImage:
            .init(
                "Which one? What is said of it is from the text beside it.",
                "Welches Abbild? Die Angaben stammen aus dem Text daneben.", "どれですか。説明は添えられたテキストによるものです。")
        case .storeLine:
            .init("%1  a store, which holds images", "%1  eine Ablage (Store) mit Abbildern", "%1  ストア（イメージが入っています）")
        case .withoutLabel: .init("written %1", "geschrieben am %1", "書き込み %1")
        case .newestChange: .init("newest change %1", "letzte Änderung %1", "最終変更 %1")
        case .sameHardware: .init("hardware like this one", "gleiche Hardware", "同じ機種")
        case .whichKey: .init("What opens it?", "Womit wird es geöffnet?", "何で開きますか。")
        case .passphraseOrOwnKey:
            .init(
                "A passphrase, or this machine's own key", "Mit einem Kennwort oder mit dem Schlüssel dieser Maschine",
                "パスフレーズ、またはこの装置の鍵")
        case .typePassphrase:
            .init(
                "Passphrase (Enter alone: this machine's own key):",
                "Kennwort (Enter allein: Schlüssel dieser Maschine):", "パスフレーズ（Enter キーだけ: この装置の鍵）:")
        case .passphraseAgain:
            .init(
                "It did not open; why stands above. Passphrase again (Enter alone: back):",
                "Nicht geöffnet; der Grund steht oben. Noch einmal (Enter allein: zurück):",
                "開けません。理由は上にあります。もう一度（Enter キーだけ: 戻る）:")
        case .newPassphrase:
            .init(
                "New passphrase (Enter alone: back):", "Neues Kennwort (Enter allein: zurück):",
                "新しいパスフレーズ（Enter キーだけ: 戻る）:")
        case .sameAgain: .init("The same again:", "Noch einmal dasselbe:", "もう一度同じもの:")
        case .passphrasesDiffer: .init("The two differ.", "Die beiden sind verschieden.", "二つが一致しません。")
        case .keyFile: .init("The key in %1", "Mit dem Schlüssel in %1", "%1 の鍵")
        case .otherKeyFile:
            .init("A file of keys: type its path", "Mit einer anderen Schlüsseldatei: Pfad eingeben", "鍵のファイル（パスを入力）")
        case .typedKey: .init("A key from paper: type it", "Mit einem Schlüssel auf Papier: abtippen", "紙に書かれた鍵を入力する")
        case .typeKeyFile: .init("The path of the file of keys:", "Der Pfad der Schlüsseldatei:", "鍵のファイルのパス:")
        case .howToTypeKey:
            .init(
                "Small letters and blanks do not matter. It is neither shown nor kept on a disk.",
                "Groß/klein und Leerzeichen sind egal. Unsichtbar, und auf keinem Datenträger.",
                "小文字や空白はかまいません。表示されず、メモリ内だけに置かれます。")
        case .typeKey:
            .init(
                "AGE-SECRET-KEY-1… (Enter alone leads back):", "AGE-SECRET-KEY-1… (Enter allein führt zurück):",
                "AGE-SECRET-KEY-1…（Enter キーだけで戻ります）:")
        case .restoreWhat: .init("%1. What is to be done with it?", "%1. Was soll damit geschehen?", "%1 をどうしますか。")
        case .toDisk:
            .init(
                "Restore it to a disk: everything on that will be gone",
                "Auf einem Datenträger wiederherstellen: Alles darauf geht verloren", "ディスクに復元する（ディスクの内容はすべて失われます）")
        case .toFolder: .init("Restore it into a folder", "In einem Ordner wiederherstellen", "フォルダーに復元する")
        case .showNeeds:
            .init(
                "Show what it is, and what hardware it wants", "Anzeigen, was es ist und welche Hardware es braucht",
                "内容と必要なハードウェアを表示する")
        case .justCheck: .init("Check it: read all of it", "Prüfen: vollständig lesen", "検査する（すべて読み取る）")
        case .ontoWhichDisk:
            .init(
                "Onto which disk? Everything on it will be gone.",
                "Auf welchen Datenträger? Alles darauf geht verloren.", "どのディスクに復元しますか。その内容はすべて失われます。")
        case .fits:
            .init(
                "By the text beside it, it fits: it wants %1, and there are %2.",
                "Laut dem Text daneben passt es: Nötig sind %1, vorhanden %2.", "添えられたテキストによると収まります（必要 %1、容量 %2）。")
        case .doesNotFit:
            .init(
                "By the text beside it, it does not fit: it wants %1, and there are %2.",
                "Laut dem Text daneben passt es nicht: Nötig sind %1, vorhanden %2.",
                "添えられたテキストによると収まりません（必要 %1、容量 %2）。")
        case .tooSmallDisk: .init("too small for it: %1 are needed", "zu klein dafür: Nötig sind %1", "容量不足（必要 %1）")
        case .chooseOtherDisk: .init("Choose another disk", "Einen anderen Datenträger wählen", "別のディスクを選ぶ")
        case .tryAllTheSame:
            .init(
                "Go on with this one; the command looks once more",
                "Trotzdem diesen nehmen; der Befehl prüft es noch einmal", "このまま続ける（コマンドが再度確認します）")
        case .restoreDiskWill:
            .init(
                "%1 will be written to %2. Everything on that disk will be gone.",
                "%1 wird auf %2 geschrieben. Alles auf diesem Datenträger geht verloren.",
                "%1 を %2 に書き込みます。そのディスクの内容はすべて失われます。")
        case .restoreFolderWill:
            .init(
                "%1 will be restored to %2. What is there and not in the image stays.",
                "%1 wird in %2 wiederhergestellt. Was dort ist und nicht im Abbild, bleibt.",
                "%1 を %2 に復元します。イメージにないファイルはそのまま残ります。")
        case .serialIsAsked:
            .init(
                "The command asks for the serial number on the label of the disk; there is time.",
                "Der Befehl fragt nach der Seriennummer auf dem Etikett; dafür ist Zeit.",
                "コマンドがディスクのラベルのシリアル番号を尋ねます。時間は十分あります。")
        case .otherHardware:
            .init(
                "The image is of other hardware: %1; this is %2.",
                "Das Abbild stammt von anderer Hardware: %1; hier ist %2.", "イメージは別のハードウェアのものです: %1。ここは %2 です。")
        case .refuseOtherHardware:
            .init(
                "Refuse it where it is of a whole system", "Ein ganzes System dann nicht wiederherstellen",
                "システム全体のイメージなら復元しない")
        case .takeOtherHardware: .init("Restore it all the same", "Trotzdem wiederherstellen", "それでも復元する")
        case .checkFirst:
            .init(
                "Check the image first, to its last byte?", "Das Abbild zuerst bis zum letzten Byte prüfen?",
                "先にイメージを最後まで検査しますか。")
        case .checkFirstYes:
            .init(
                "Yes: if it is damaged, nothing is overwritten", "Ja: Ist es beschädigt, wird nichts überschrieben",
                "はい（破損していれば何も上書きしません）")
        case .checkFirstNo: .init("No, it was checked before", "Nein, es ist schon geprüft", "いいえ（すでに検査済みです）")
        case .copyFirst:
            .init(
                "Copy it into memory first? Then the stick may fail or be pulled.",
                "Zuerst in den Arbeitsspeicher kopieren? Dann ist der Stick entbehrlich.",
                "先にメモリへコピーしますか。その後はスティックを抜いてもかまいません。")
        case .copyFirstYes: .init("Yes: %1, and there is room", "Ja: %1, und der Platz reicht", "はい（%1、空きがあります）")
        case .copyFirstNo: .init("No, read it from the stick", "Nein, vom Stick lesen", "いいえ、スティックから読み取る")
        case .copyStoreFirstYes: .init("Yes, as far as there is room", "Ja, soweit der Platz reicht", "はい（空きがあれば）")
        case .inMemoryNow:
            .init(
                "It is in memory now; the stick may be pulled.",
                "Es ist jetzt im Arbeitsspeicher; der Stick darf abgezogen werden.", "メモリに入りました。スティックを抜いてもかまいません。")
        case .damagedGoOn:
            .init(
                "The image is damaged. Restore what is left of it?",
                "Das Abbild ist beschädigt. Wiederherstellen, was davon noch da ist?", "イメージは破損しています。残っている部分を復元しますか。")
        case .whatToDo: .init("What is to be done?", "Was soll geschehen?", "何をしますか。")
        case .verifyImage:
            .init(
                "Verify: prove that an image can be restored", "Prüfen, ob sich ein Abbild wiederherstellen lässt",
                "検査する（復元できることを確かめる）")
        case .copyImage:
            .init("Copy an image, or a store", "Ein Abbild oder eine ganze Ablage kopieren", "イメージまたはストアをコピーする")
        case .asFile:
            .init(
                "One image, as one file: type its path", "Ein Abbild, als eine Datei: Pfad eingeben",
                "1 つのイメージを 1 つのファイルに（パスを入力）")
        case .typeImage:
            .init(
                "Which image: its name, the beginning of its id, or latest:",
                "Welches Abbild: Name, Anfang seiner Nummer (id) oder latest:", "イメージの名前、id の先頭、または latest:")
        case .copyWill:
            .init(
                "%1 will be copied to %2. What is there stays.", "%1 wird nach %2 kopiert. Was dort ist, bleibt.",
                "%1 を %2 にコピーします。すでにあるものは残ります。")
        case .machineNotUp:
            .init(
                "This machine's own system cannot be mounted; why stands above.",
                "Das System dieser Maschine lässt sich nicht einhängen; der Grund steht oben.",
                "この装置のシステムをマウントできません。理由は上にあります。")
        case .typePassword:
            .init("Password of root on this machine", "Kennwort von root auf dieser Maschine", "この装置の root のパスワード")
        case .wrongPassword: .init("That is not the password.", "Das Kennwort stimmt nicht.", "パスワードが違います。")
        case .noPassword:
            .init(
                "root has no password here, so this is open to nobody. A stick can do it.",
                "root hat hier kein Kennwort, also darf das niemand. Mit einem Stick geht es.",
                "root にパスワードがないため使用できません。スティックを使ってください。")
        case .noMachineFound:
            .init(
                "No disk that can be mounted here has restore points; try its recovery entry.",
                "Hier lässt sich kein Datenträger mit Wiederherstellungspunkten einhängen.",
                "復元ポイントのあるディスクが見つかりません。装置の回復用の項目も試してください。")
        case .whichMachine:
            .init(
                "Which machine? Until something is chosen, its disk is only read.",
                "Welche Maschine? Bis etwas gewählt ist, wird ihr Datenträger nur gelesen.",
                "どの装置ですか。選択するまではディスクを読み取るだけです。")
        case .pointsStatus:
            .init(
                "Show the points, and what waits for the next start",
                "Wiederherstellungspunkte und Vorgemerktes für den nächsten Start anzeigen", "復元ポイントと、次回起動時の予定を表示する")
        case .pointsRollback:
            .init(
                "Go back to a point: it shows a list",
                "Zu einem Wiederherstellungspunkt zurück (Auswahl aus einer Liste)", "復元ポイントに戻す（一覧から選びます）")
        case .pointsUndo:
            .init("Take the last rollback back", "Das letzte Zurücksetzen rückgängig machen", "直前の復元を取り消す")
        case .pointsReset:
            .init(
                "Back to the state in which it was delivered", "Auf den Auslieferungszustand zurücksetzen", "出荷時の状態に戻す")
        case .filterStatus: .init("Show the write filter", "Schreibfilter anzeigen", "書き込みフィルターを表示する")
        case .filterDisable: .init("Switch the write filter off", "Schreibfilter abschalten", "書き込みフィルターを無効にする")
        case .pointsLog:
            .init(
                "Show what was done to this machine", "Anzeigen, was an dieser Maschine getan wurde", "この装置の作業記録を表示する")
        case .asksOnceMore:
            .init(
                "The command shows what it would do, and asks once more.",
                "Der Befehl zeigt, was er tun würde, und fragt noch einmal.", "コマンドが内容を表示し、もう一度確認します。")
        case .wipeWhich:
            .init(
                "Which disk is to be wiped? Nothing of it can be read afterwards.",
                "Welcher Datenträger soll gelöscht werden? Danach ist nichts mehr lesbar.",
                "どのディスクを消去しますか。消去後は何も読み取れません。")
        case .noDevice:
            .init(
                "%1 is no disk: only disks are wiped here.",
                "%1 ist kein Datenträger; nur solche werden hier gelöscht.", "%1 はディスクではありません。ここではディスクだけを消去します。")
        case .wipeHow: .init("How?", "Auf welche Weise?", "方法を選んでください。")
        case .wipeClear:
            .init(
                "Clear: overwritten, and read back", "Überschreiben und zur Kontrolle lesen (clear)", "上書きして読み戻す（clear）"
            )
        case .wipePurge:
            .init(
                "Purge: the drive's firmware erases it, also what no overwrite reaches",
                "Durch die Firmware: auch, was Überschreiben nicht erreicht (purge)", "ドライブのファームウェアで完全に消去する（purge）")
        case .wipeWill:
            .init(
                "%1 (%2, serial number %3) will be wiped. It cannot be undone.",
                "%1 (%2, Seriennummer %3) wird gelöscht. Das ist endgültig.", "%1（%2、シリアル番号 %3）を消去します。元に戻せません。")
        case .certificateGoes:
            .init(
                "The certificate will be %1, with a signature and a page beside it.",
                "Die Bescheinigung wird %1, mit Signatur und Druckseite daneben.", "証明書は %1 です。署名とページも添えます。")
        case .noCertificate:
            .init(
                "There is no stick: there will be no certificate.", "Ohne Stick gibt es keine Bescheinigung.",
                "スティックがないため、証明書は作成しません。")
        case .whichKeyboard:
            .init(
                "Which keyboard? It is that of this machine, not of a serial line.",
                "Welche Tastatur? Gemeint ist die dieser Maschine, nicht die am seriellen Kabel.",
                "どのキーボードですか（この装置のもの。シリアル回線ではありません）。")
        case .keyboardIsSet: .init("The keyboard is %1 now.", "Die Tastatur ist jetzt %1.", "キーボードを %1 にしました。")
        case .shellEnds: .init("exit leads back to the menu.", "exit führt zurück ins Menü.", "exit でメニューに戻ります。")
        case .endWill:
            .init(
                "This system ends. Images and disks are left as they are.",
                "Dieses System wird beendet. Abbilder und Datenträger bleiben, wie sie sind.",
                "このシステムを終了します。イメージとディスクはそのままです。")
        case .noInterface:
            .init(
                "This machine has no network interface that this system knows.",
                "Dieses System findet in der Maschine keine Netzwerkkarte.", "使用できるネットワークインターフェースがありません。")
        case .whichInterface: .init("Which interface?", "Welche Netzwerkkarte?", "どのインターフェースですか。")
        case .networkHow: .init("How does it get its address?", "Wie bekommt sie ihre Adresse?", "アドレスの設定方法を選んでください。")
        case .networkAutomatic: .init("Automatically (DHCP)", "Automatisch (DHCP)", "自動（DHCP）")
        case .networkByHand: .init("It is typed", "Von Hand eingeben", "手動で入力する")
        case .networkWill:
            .init(
                "%1 will be set up, until this system ends.", "%1 wird eingerichtet, bis dieses System endet.",
                "%1 を設定します（このシステムが終了するまで）。")
        case .noNetworkClient:
            .init(
                "There is neither udhcpc nor dhclient here: type the address instead.",
                "Weder udhcpc noch dhclient ist vorhanden: Bitte die Adresse eingeben.",
                "udhcpc も dhclient もありません。アドレスを手動で入力してください。")
        case .typeAddress:
            .init(
                "The address with its length, as 192.168.0.10/24:",
                "Die Adresse mit Präfixlänge, etwa 192.168.0.10/24:", "アドレスとプレフィックス長（例: 192.168.0.10/24）:")
        case .typeGateway: .init("The gateway:", "Das Gateway:", "ゲートウェイ:")
        case .typeNameServer: .init("The name server:", "Der Nameserver (DNS):", "ネームサーバー:")
        case .noAddress:
            .init(
                "That is no such address. Type it again.", "Das ist keine solche Adresse. Bitte noch einmal eingeben.",
                "正しいアドレスではありません。もう一度入力してください。")
        case .nameServerGoes:
            .init(
                "/etc/resolv.conf will name %1.", "In /etc/resolv.conf steht dann %1.", "/etc/resolv.conf に %1 を書き込みます。"
            )
        case .seriesHeading: .init("Series production", "Serienfertigung", "量産")
        case .seriesWill:
            .init(
                "%1 will be written to %2 (%3, serial number %4). All that is on it will be gone.",
                "%1 wird auf %2 geschrieben (%3, Seriennummer %4). Alles darauf geht verloren.",
                "%1 を %2（%3、シリアル番号 %4）に書き込みます。内容はすべて失われます。")
        case .seriesNewIdentity:
            .init("It becomes a machine of its own, %1.", "Daraus wird eine eigene Maschine, %1.", "独立した装置 %1 になります。")
        case .seriesSameIdentity: .init("It takes the place of %1.", "Sie tritt an die Stelle von %1.", "%1 の代わりになります。")
        case .seriesCountdown:
            .init(
                "It begins in %1 s. Any key stops it. / Jede Taste bricht ab.", "Beginn in %1 s. Jede Taste bricht ab.",
                "%1 秒後に開始します。どれかのキーで中止します。")
        case .seriesStopped:
            .init("It was stopped; nothing was done.", "Abgebrochen; nichts wurde verändert.", "中止しました。何も行っていません。")
        case .seriesReport: .init("The report: %1", "Der Bericht: %1", "報告: %1")
        case .seriesDone:
            .init(
                "This machine is done; the stick may be pulled.",
                "Diese Maschine ist fertig; der Stick darf abgezogen werden.", "この装置は完了しました。スティックを抜いてもかまいません。")
        case .seriesNotDone:
            .init(
                "This machine is NOT done; why stands above.", "Diese Maschine ist NICHT fertig; der Grund steht oben.",
                "この装置は完了していません。理由は上にあります。")
        case .seriesNoReport:
            .init(
                "There is no report of it on the stick yet. Plug it in, and press Enter.",
                "Auf dem Stick ist noch kein Bericht. Bitte einstecken und Enter drücken.",
                "スティックに報告がまだありません。挿し込んで Enter キーを押してください。")
        }
    }
}
