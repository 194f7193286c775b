import pytest

from patlib.experiments import studies
from patlib.experiments.studies import STUDIES, get_study, study_configs
from patlib.trainer.config import RunConfig

SCALES = ("laptop", "full")
RUNS = {  # of each study, by scale
    "table1": (40, 24), "halves": (20, 12), "frontier": (21, 21), "temperature": (18, 18), "precision": (24, 24),
    "pet": (35, 21), "learning_rate": (36, 36), "networks": (30, 30), "dusk": (20, 12),
    "anchor": (1, 1), "sweeps": (25, 25),
}  # fmt: skip


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", STUDIES)
def test_every_run_is_a_valid_configuration_of_its_own(name, scale):
    configs = study_configs(get_study(name), scale)
    assert len({config.run_path for config in configs}) == len(configs) == RUNS[name][SCALES.index(scale)]


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_the_rows_of_a_table_differ_and_have_as_many_words(study):
    rows = [cell.row for cell in study.cells]
    assert len(set(rows)) == len(rows) and len({len(row) for row in rows}) == 1


@pytest.mark.parametrize("scale", SCALES)
def test_the_queue_holds_every_run_of_every_study_once(scale):
    queued = [config.run_path for _, config in studies.queue(scale)]
    declared = {config.run_path for study in STUDIES.values() for config in study_configs(study, scale)}
    assert len(set(queued)) == len(queued) and set(queued) == declared


def test_a_wave_names_cells_of_its_study():
    for wave in studies.ORDER:
        study = get_study(wave.study)
        assert all(cell in study.cells for cell in wave.cells)
        assert set(wave.seeds) <= set(study.laptop_seeds)


def test_the_queue_begins_with_whole_seeds_of_the_main_table():
    begin = [config for _, config in studies.queue("laptop")[:12]]
    assert [config.seed for config in begin] == [0] * 4 + [1] * 4 + [2] * 4
    assert [config.loss for config in begin] == ["ce", "pat", "cb", "bms"] * 3


def test_the_waves_follow_each_other():
    order = [(study.name, config.seed) for study, config in studies.queue("laptop")]
    firsts = list(dict.fromkeys(name for name, _ in order))
    assert firsts == ["table1", "precision", "halves", "frontier", "temperature", "pet", "dusk",
                      "learning_rate", "networks", "anchor", "sweeps"]  # fmt: skip
    assert order.index(("pet", 2)) < order.index(("table1", 3)) < order.index(("halves", 3)) < order.index(("pet", 3))


def test_both_halves_are_the_pat_of_the_main_table():
    pat = study_configs(get_study("table1"), "laptop")[7]
    both = study_configs(get_study("halves"), "laptop")[3]
    assert pat.run_path == both.run_path


def test_the_comparison_of_precisions_shares_its_fp32_runs_with_the_main_table():
    compared = study_configs(get_study("precision"), "laptop")
    assert [config.precision for config in compared] == (["fp32"] * 4 + ["bf16"] * 4) * 3
    main = {config.run_path for config in study_configs(get_study("table1"), "laptop")}
    assert all((config.run_path in main) == (config.precision == "fp32") for config in compared)


@pytest.mark.parametrize(("scale", "precision"), [("laptop", "fp32"), ("full", "bf16")])
def test_no_other_study_mixes_precisions(scale, precision):
    others = [study for name, study in STUDIES.items() if name != "precision"]
    assert {config.precision for study in others for config in study_configs(study, scale)} == {precision}


def test_each_seed_of_pet_draws_its_own_split_and_those_of_camvid_share_one():
    assert all(config.data_seed == config.seed for config in study_configs(get_study("pet"), "laptop"))
    assert {config.data_seed for config in study_configs(get_study("table1"), "laptop")} == {0}


def test_the_scales_are_those_that_were_fixed_in_advance():
    laptop = RunConfig(
        dataset="camvid", image_height=90, image_width=120, model_width=16, precision="fp32", loss="ce", epochs=100
    )
    assert study_configs(get_study("table1"), "laptop")[0] == laptop
    pet = study_configs(get_study("pet"), "full")[0]
    assert (pet.image_size, pet.model_width, pet.epochs, pet.protocol) == ((256, 256), 32, 100, "paper")
    (on_cpu,), (on_gpu,) = (study_configs(get_study("anchor"), scale) for scale in SCALES)
    assert on_cpu == on_gpu.model_copy(update={"precision": "fp32"})


def test_an_unknown_study_is_told_what_there_is():
    with pytest.raises(ValueError, match=r"'tabel1'; did you mean 'table1'\? There are table1, halves"):
        get_study("tabel1")
