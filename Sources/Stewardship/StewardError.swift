// Why work on this machine is not begun.

public import Platform
public import Reporting
public import Stores

public enum StewardError: Explained, Hashable {
    /// A store was at a place once, and none is there now.
    case storeIsGone(place: StoreLocation, wasOn: String)
    /// No folder, and no store there.
    case nothingThere(place: StoreLocation)
    /// Another store than the one that was used there.
    case otherStore(place: StoreLocation)
    /// Nobody is there who could say that a new store is meant.
    case noStore(place: StoreLocation)
    case noIdentity(subject: String)
    case rollbackUnderWay(target: String)
    case pointsAreImages(root: BytePath, store: BytePath, identity: BytePath)
    /// What comes of a job could not be remembered, and it would be done over and over.
    case noRecord(job: String, reason: String)
    /// The store that a job copies from has no image of it.
    case nothingToCopy(job: String, store: String)
    /// The image by which deviations were told, and are to be told on, was removed.
    case comparedImageIsGone(job: String, image: String, store: String)
    /// The plant has asked for rest.
    case held(by: String)
    /// Nobody would run the jobs.
    case noTimers
    /// The service manager did not do what it was told.
    case units(reason: String)
    /// A program of the plant that decides whether work may go on is not the plant's alone.
    case untrustedHold(reason: String)
    /// What was restored could not be scanned.
    case noScan(reason: String)

    public var description: String {
        switch self {
        case .storeIsGone(let place, let wasOn):
            place.folder == nil
                ? "the store that was used at \(place) is not there any more"
                : "the store that was used at \(place) is not there, so its disk or share is not mounted; it was on \(wasOn)"
        case .nothingThere(let place): "there is no store at \(place)"
        case .otherStore(let place): "\(place) holds another store than the one that was used there before"
        case .noStore(let place): "there is no store at \(place), and without a terminal none is made"
        case .noIdentity(let subject):
            "there is no identity that could restore from \(subject), and without a terminal none is made"
        case .rollbackUnderWay(let target): "the rollback to \(target) is not at its end"
        case .noRecord(let job, let reason): "what comes of the job \(job) cannot be put on record: \(reason)"
        case .nothingToCopy(let job, let store): "\(store) has no image of the job \(job) that could be copied"
        case .comparedImageIsGone(_, let image, let store):
            "the image \(image.prefix(8)) that it is compared with is in \(store) no more"
        case .held(let what): "the plant holds work: \(what)"
        case .noTimers: "this machine is not run by systemd, whose timer would run the jobs"
        case .units(let reason): "systemd did not take the timer: \(reason)"
        case .untrustedHold(let reason): "the command of [schedule] hold is not run: \(reason)"
        case .noScan(let reason): "nothing was restored, since it could not be scanned: \(reason)"
        case .pointsAreImages(let root, let store, _): "the points of \(root) are images already, in \(store)"
        }
    }

    public var mend: String? {
        switch self {
        case .storeIsGone(let place, _) where place.folder == nil:
            "is it the right place? Where its server keeps versions, `--at TIME` shows what was there; if it was given up, `holdfast store init` makes a new one"
        case .nothingThere: "is that its address, to the last letter? A new store is made by `holdfast store init`"
        case .storeIsGone:
            "mount it; a new store or copy goes to another folder: where this one is expected, a second one would be in its way"
        case .otherStore(let place) where place.folder == nil:
            "somebody may have put it there. Compare the fingerprint with the paper, and give it with `--store-fingerprint`; to write there, `holdfast store join \(place.typed)`"
        case .otherStore(let place): "mount the right one; if this one is meant, `holdfast store join \(place.typed)`"
        case .noStore(let place):
            "mount the disk or share that holds it, name the store in [stores] of the configuration, or make one with `holdfast store init \(place.typed)`"
        case .noIdentity:
            "name who can restore with `--recipient age1…`, or make an identity with `holdfast key generate` or with `holdfast store init`"
        case .rollbackUnderWay: "`holdfast recover` goes on with it, or the next start"
        case .noRecord: "make room where the state is, or mend its file system"
        case .nothingToCopy:
            "it is copied once an image was made there; `holdfast schedule run` makes one when it is due"
        case .comparedImageIsGone(let job, _, _):
            "look at what was told last; `holdfast schedule run \(job) --accept` takes what is there as right, and the newest image is compared from then on"
        case .held: "it goes on when that is over; `holdfast schedule run` begins what is due then"
        case .noTimers:
            "have cron do it, with a line in /etc/cron.d: `*/15 * * * * root /usr/bin/holdfast schedule run --quiet`"
        case .units: "`systemctl status holdfast-schedule.timer` tells more"
        case .noScan:
            "scan in [hooks] of the configuration wants a program of root's alone (`chmod +x`; `chown root` and `chmod go-w`, its folders too); without that line nothing is scanned"
        case .untrustedHold:
            "it has to be there, and root's alone with its folders: `chown root` and `chmod go-w`"
        case .pointsAreImages(_, let store, let identity):
            "`holdfast copy --from \(store) --identity \(identity)` takes them elsewhere"
        }
    }

    public var exitStatus: Int32 {
        switch self {
        case .nothingThere: 2
        case .noRecord, .nothingToCopy, .units: 1
        default: 4
        }
    }
}
